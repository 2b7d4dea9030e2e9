"""A connection to the database that breaks at a commit: who waits for its answer does not hear whether it was done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection


@contextmanager
def connection_breaks(*, after_commit: bool, then: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Let this thread's connection break at its next commit; those after it go well.

    Args:
        after_commit: whether the database has done it by then.
        then: what else happens at that moment.
    """
    ours: Any = connection  # django-stubs leaves out what is private
    commit = ours._commit

    def commit_and_break() -> None:
        patch.undo()
        if after_commit:
            commit()
        ours.connection.close()
        then()
        raise OperationalError("server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "_commit", commit_and_break)
        yield
