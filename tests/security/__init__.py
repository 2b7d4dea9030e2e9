"""What is kept from whom, and how often somebody may try."""
