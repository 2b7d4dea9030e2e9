"""Django's SQLite, whose writers wait in line: see base.py."""
