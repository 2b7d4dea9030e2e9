"""What is in deploy/: read as configuration, asked of its own checkers, and run for real as far as that goes here."""
