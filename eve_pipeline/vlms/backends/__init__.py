"""One module a backend, each with `open_vlm(entry, settings)`; models.yaml names the module."""
