"""The commands of `eve`, one file each; cli.py puts them together."""
