"""What pictures and PDFs are taken, looked at within bounds, and made into."""
