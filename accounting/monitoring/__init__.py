"""What is measured, and where errors are reported."""
