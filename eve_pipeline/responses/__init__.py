"""Ask models, once for each request key, and keep every reply."""
