"""An audit tells by its exit code whether the database is away, or something is broken."""

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, OperationalError, ProgrammingError

from jobs.management.commands import verify_audit

pytestmark = pytest.mark.django_db


class Said(Exception):
    """What a driver raises."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__()
        self.sqlstate = sqlstate


def failing(error: Exception, code: str) -> Callable[[Any], Iterator[Any]]:
    """Return what looks at nothing, since the database answers with that error."""

    def fail(options: Any) -> Iterator[Any]:
        raise error from Said(code)
        yield

    return fail


@pytest.mark.parametrize(
    ("error", "code"), [(InternalError("invalid page"), "XX001"), (ProgrammingError("no such column"), "42703")]
)
def test_a_database_that_answers_and_is_broken_is_not_called_away(
    error: Exception, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_audit, "_parts", failing(error, code))
    with pytest.raises(type(error)):
        call_command("verify_audit", stdout=StringIO())


def test_one_that_went_away_meanwhile_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_audit, "_parts", failing(OperationalError("gone"), "57P01"))
    with pytest.raises(CommandError, match=r"\(57P01\).* Not all was looked at\.") as stop:
        call_command("verify_audit", stdout=StringIO())
    assert stop.value.returncode == 2
