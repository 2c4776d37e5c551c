"""One HTML file that shows what a published database says."""
