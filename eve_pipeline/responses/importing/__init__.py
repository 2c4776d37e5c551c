"""What other tools made, into `responses`: one reader a kind of file, matched to the images of a dataset."""
