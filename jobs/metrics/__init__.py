"""What `/metrics` tells of the whole installation: read from the database, the same whichever process is asked."""
