"""Find the images that a vision transformer trained on the others gets wrong or is unsure of, and draw a subset of them."""
