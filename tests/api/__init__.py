"""What clients of the API send, and what they are answered."""
