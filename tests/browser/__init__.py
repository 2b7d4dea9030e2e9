"""What staff see and do, in a real browser against real processes."""
