"""The operations page, and the figures that it shows."""
