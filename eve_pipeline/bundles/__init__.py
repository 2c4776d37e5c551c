"""Results as one file to send, which whoever gets it can check."""
