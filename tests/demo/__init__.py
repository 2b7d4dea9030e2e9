"""`make demo`, and what keeps its processes running."""
