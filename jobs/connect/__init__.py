"""The room in which N8N is connected: its workflows made for this installation, installed, and tried out."""
