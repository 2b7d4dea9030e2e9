"""A made-up history of many jobs, to see how the service does with them (`manage.py make_history`)."""
