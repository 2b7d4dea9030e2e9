"""Connecting N8N: its workflows are installed, from the command line or the page, and the connection is tested."""
