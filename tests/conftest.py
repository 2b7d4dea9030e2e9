"""What every test finds ready, and what the tests of several files ask for."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client as Browser
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from redis import Redis
from rest_framework.test import APIClient
from rq import Queue
from rq.serializers import JSONSerializer

from accounting.memory import keep_what_is_loaded
from accounting.redis.shared import redis_at
from accounting.throttling import alone
from jobs.queue import queue_service
from jobs.sandbox import Sandbox
from receipts.models import Client

from .support.installation import files_in
from .support.old_receipts import DAYS
from .support.s3_server import S3Server, use_storage
from .support.sandbox_requests import Receiver, quick_sandbox, receiving
from .support.scrapes import TOKEN
from .support.staff import staff
from .support.stub_server import StubServer
from .support.uploads import client_named, post
from .support.workers import accepting_n8n

# the same examples in every run; `--hypothesis-profile=deep` draws many others, and remembers those that failed
hypothesis_settings.register_profile(
    "quick",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],  # it measures the machine
)
hypothesis_settings.register_profile("deep", deadline=None, max_examples=1000, stateful_step_count=80)
hypothesis_settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Let no collection of garbage walk through all modules and tests again and again: they stay."""
    keep_what_is_loaded()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep SQLite's test database in a file: threads and write-ahead logging need one, as in production."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")
        # a disk that is busy with others' work fails no test; processes of their own sync, as in production
        database["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture(autouse=True)
def _static_files_found_when_asked_for(settings: LazySettings) -> None:
    """List the static files of no app for each test's client anew: it takes longer than most requests."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def _pages_that_wait_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page read a file to its end, however busy the machine is."""
    monkeypatch.setattr("receipts.evidence.PAGE_SECONDS", 60.0)


@pytest.fixture(scope="session")
def _valkey() -> Iterator["Redis"]:
    from django.conf import settings

    with Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def redis(_valkey: "Redis") -> Iterator["Redis"]:
    """Return a client of this process' own Valkey, emptied."""
    _valkey.flushall()
    _forget_redis()
    yield _valkey
    _forget_redis()


def _forget_redis() -> None:
    """Let the process make its clients anew, think no Redis away, and have counted nothing without it."""
    queue_service.cache_clear()
    redis_at.cache_clear()
    alone.cache_clear()


@pytest.fixture
def rung(redis: "Redis") -> Callable[[], list[str]]:
    """Return a function that lists the ids of the jobs for which workers were rung, in their order."""
    queue = Queue("default", connection=redis, serializer=JSONSerializer)
    return lambda: [str(ring.args[0]) for ring in queue.jobs]


@pytest.fixture
def n8n() -> Iterator[StubServer]:
    """Return an N8N that accepts everything."""
    with accepting_n8n() as server:
        yield server


@pytest.fixture
def media(settings: LazySettings) -> Callable[[], list[Path]]:
    """Return a function that lists the files in the storage, but for its mark."""
    return lambda: files_in(settings.MEDIA_ROOT)


@pytest.fixture
def admin_user(db: None) -> User:
    """Return a superuser for pytest-django's `admin_client`; he has no password, whose digest would take its time."""
    return User.objects.create_superuser("admin")


@pytest.fixture
def viewer(db: None) -> Browser:
    """Return the browser of a staff member who may see jobs."""
    return staff("jobs.view_joblog", name="audrey")


@pytest.fixture
def quick_passwords(settings: LazySettings) -> None:
    """Let passwords' digests take no time, where it is not their strength that is tested."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def retention(settings: LazySettings) -> None:
    """Let a rule say for how long receipts' files are kept."""
    settings.RETENTION_DAYS = DAYS


@pytest.fixture
def metrics_token(settings: LazySettings) -> None:
    """Let metrics be told to whoever has the token."""
    settings.METRICS_TOKEN = [TOKEN]


@pytest.fixture
def api(db: None) -> APIClient:
    """Return an API client with a valid key of the client "Shop"."""
    return client_named("Shop")


@pytest.fixture
def shop(api: APIClient) -> Client:
    """Return the client whose key `api` uses."""
    return Client.objects.get(name="Shop")


@pytest.fixture
def upload(api: APIClient) -> Callable[..., object]:
    """Return a function that uploads a receipt: `upload(number=1, **form, headers=...)`."""
    return partial(post, api)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    """Return an S3 server for a file's tests."""
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, settings: LazySettings) -> S3Server:
    """Return one whose bucket is empty, and in which the service keeps its files."""
    s3_server.make_bucket()
    use_storage(settings, s3_server.url)
    return s3_server


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox that calls back, and tries again, at once."""
    with quick_sandbox() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return what receives a sandbox's callbacks, where the service would."""
    with receiving() as receiver:
        yield receiver
