"""Django's PostgreSQL, whose sessions are not kept where they may only be read: see base.py."""
