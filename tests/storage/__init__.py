"""Where receipts' files lie, and when they go."""
