"""The admin: what its pages share, and the models that are no app's of ours."""

from . import attempts, log, users

__all__ = ["attempts", "log", "users"]  # each registers by being imported
