"""A client of the API: uploads files, waits for what becomes of them, and tells.

It needs no settings, no database and no Django: `python -m receipts.client` runs wherever requests and click are
installed; `manage.py upload_receipts` is the same.
"""
