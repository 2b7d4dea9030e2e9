"""The project: settings, URLs, the one error format, health, logs and middleware."""

__version__ = "0.1.0"
