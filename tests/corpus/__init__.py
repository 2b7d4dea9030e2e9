"""Requests as bytes, good, careless and hostile, each with the one answer that it must get."""
