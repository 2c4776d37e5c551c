"""Measure how well vision-language models recognise the emotion that an image evokes."""

__version__ = "0.1.0"
