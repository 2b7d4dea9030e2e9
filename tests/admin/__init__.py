"""The admin: its pages, its roles, its lists, and what may be done there."""
