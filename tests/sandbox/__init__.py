"""The sandbox that stands in for N8N."""
