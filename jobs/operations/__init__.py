"""The operations page, the admin's first."""
