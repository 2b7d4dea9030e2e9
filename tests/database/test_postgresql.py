"""How long a session with PostgreSQL waits, unless `DATABASE_URL` says otherwise, and what its errors tell."""

import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import structlog
from django.db import DatabaseError, connection
from django.test import Client as Browser
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from accounting.logging import PROCESSORS, _formatter
from jobs import services
from jobs.models import JobLog
from jobs.queue import TASK
from tests.factories import JobFactory
from tests.support.planted_secrets import in_redis
from tests.support.workers import work

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="its own settings: --database=postgresql"),
]


def time_outs(options: str) -> tuple[str, str]:
    """Return those of a new session, where `DATABASE_URL` has these `options`; none is what a PgBouncer passes on."""
    beside: Any = connection.copy()
    beside.settings_dict["OPTIONS"] |= {"options": options} if options else {}
    try:
        with beside.cursor() as cursor:
            cursor.execute("""
                SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')
            """)
            lock, idle = cursor.fetchone()
            return lock, idle
    finally:
        beside.close()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", ("15s", "30s")),
        ("-c statement_timeout=1min", ("15s", "30s")),
        ("-c lock_timeout=1s", ("1s", "30s")),
        ("-c lock_timeout=0 -c idle_in_transaction_session_timeout=1min", ("0", "1min")),
    ],
)
def test_nobody_waits_for_ever_unless_database_url_says_so(options: str, found: tuple[str, str]) -> None:
    assert time_outs(options) == found


def test_nor_for_as_long_as_the_database_is_set_to() -> None:
    setting = f'ALTER DATABASE "{connection.settings_dict["NAME"]}" %s idle_in_transaction_session_timeout'
    with connection.cursor() as cursor:
        cursor.execute((setting % "SET") + " = '1d'")
        try:
            assert time_outs("") == ("15s", "30s")
        finally:
            cursor.execute(setting % "RESET")


# -- what its errors tell ----------------------------------------------------------------------------------------------

CANARY = "canary-of-a-receipt"


def break_a_check() -> None:
    JobLog.objects.update(status="nonsense")


def give_a_value_of_the_wrong_kind() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int", [CANARY])


def name_a_column_that_there_is_none_of() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing, %s", [CANARY])


BROKEN: list[tuple[Callable[[], None], str, str]] = [
    (break_a_check, "CheckViolation", "(23514)"),
    (give_a_value_of_the_wrong_kind, "InvalidTextRepresentation", "(22P02)"),
    (name_a_column_that_there_is_none_of, "UndefinedColumn", "(42703)"),
]


@pytest.fixture(params=["json", "console"])
def log(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    """Return all that is logged, as a process writes it in either form."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(request.param))
    logging.getLogger().addHandler(handler)
    yield out
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(("go_wrong", "kind", "code"), BROKEN)
def test_an_error_says_what_was_broken_and_where_and_quotes_no_value(
    log: StringIO, go_wrong: Callable[[], None], kind: str, code: str
) -> None:
    JobFactory.create(filename=f"{CANARY}.jpg")
    with pytest.raises(DatabaseError) as raised:
        go_wrong()
    structlog.wrap_logger(logging.getLogger("jobs"), processors=PROCESSORS).error("failed", exc_info=raised.value)
    written = log.getvalue()
    assert CANARY not in written
    assert all(told in written for told in (kind, code, go_wrong.__name__))


def test_a_constraint_is_named() -> None:
    JobFactory.create()
    with pytest.raises(DatabaseError, match=r'violates check constraint "\w+" \(23514\)$'):
        break_a_check()


def test_a_page_that_breaks_a_constraint_writes_no_row_into_the_log(
    log: StringIO, admin_user: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    JobFactory.create(filename=f"{CANARY}.jpg")
    monkeypatch.setattr("jobs.admin.jobpage.timeline", lambda *_, **__: break_a_check())
    browser = Browser(raise_request_exception=False)
    browser.force_login(admin_user)  # type: ignore[arg-type] # pytest-django's fixture
    page = browser.get(f"/admin/jobs/joblog/{JobLog.objects.get().pk}/change/")
    assert page.status_code == 500
    assert "CheckViolation" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_a_ring_that_breaks_a_constraint_writes_no_row_into_the_log_nor_into_redis(
    log: StringIO, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim(job_id: UUID, *, worker: str) -> None:
        break_a_check()

    job = JobFactory.create(filename=f"{CANARY}.jpg")
    monkeypatch.setattr(services, "claim_job", claim)
    Queue("default", connection=redis, serializer=JSONSerializer).enqueue(TASK, str(job.pk))
    work()
    kept = "".join(text for _, text in in_redis(redis))
    for written in (log.getvalue(), kept):
        assert "CheckViolation" in written
        assert CANARY not in written
