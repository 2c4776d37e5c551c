"""Vision-language models: entries, the protocol that all backends keep, and one backend a file."""
