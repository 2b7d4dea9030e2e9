"""Canaries: receipts of the service's own, which show whether the way to N8N and back works."""
