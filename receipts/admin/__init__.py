"""Receipts, clients and their keys for staff."""

import accounting.admin  # noqa: F401 - first, since it lets Django's classes say which model they are for

from . import clients, keys, receipts

__all__ = ["clients", "keys", "receipts"]  # each registers by being imported
