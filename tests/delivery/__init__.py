"""The way to N8N: the queue, the worker, the request, and what an answer means."""
