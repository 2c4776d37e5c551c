"""From image files on disk to the tables `images`, `rejected_images` and `benchmark_items`."""
