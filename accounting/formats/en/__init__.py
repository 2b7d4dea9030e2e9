"""In the one language that there is."""
