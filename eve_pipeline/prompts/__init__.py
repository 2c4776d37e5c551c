"""Prompt variants: load, check and render."""
