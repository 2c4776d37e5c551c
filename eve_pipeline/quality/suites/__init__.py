"""What each table is expected to hold."""
