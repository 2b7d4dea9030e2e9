"""The admin: what its pages share, and the models that are no app's of ours."""

import django_stubs_ext

# lets Django's classes say at run time, too, which model they are for; only pages need it, and a worker has none
django_stubs_ext.monkeypatch()

from . import attempts, log, users  # noqa: E402 - each says which model it is for

__all__ = ["attempts", "log", "users"]  # each registers by being imported
