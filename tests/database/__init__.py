"""The databases: their errors, migrations, and how writers wait."""
