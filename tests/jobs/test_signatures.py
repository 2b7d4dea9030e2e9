"""Tokens that open a callback, and the signature on what N8N gets."""

import base64
import hmac
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.conf import LazySettings
from standardwebhooks import Webhook, WebhookVerificationError

from jobs.signatures import callback_token, is_global_token, is_job_token, sign_webhook, webhook_is_signed
from tests.support.servers import SETTINGS

JOB, OTHER = UUID(int=1), UUID(int=2)
FORMER_KEY, NEW_KEY = "former-key-" + "x" * 32, "new-key-" + "y" * 32
SECRET = SETTINGS["N8N_WEBHOOK_SECRET"]
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of thirty-two bytes").decode()
BODY = b'{"filename": "B\xc3\xa4cker.jpg"}'
STRANGE = ["", " ", "ünïcödé", "\ud800", "\x00", "a" * 100_000, "None", "0" * 64]


# -- the job's own token


def test_a_jobs_token_opens_that_job() -> None:
    assert is_job_token(JOB, callback_token(JOB))


def test_another_jobs_token_does_not() -> None:
    assert not is_job_token(JOB, callback_token(OTHER))


@pytest.mark.parametrize("token", [*STRANGE, str(JOB)])
def test_nothing_else_opens_it(token: str) -> None:
    assert not is_job_token(JOB, token)


def test_a_token_changed_in_one_character_opens_nothing() -> None:
    token = callback_token(JOB)
    for changed in (token[:-1], token + "0", token.upper(), "0" + token[1:] if token[0] != "0" else "1" + token[1:]):
        assert not is_job_token(JOB, changed)


def test_a_token_outlives_the_key_it_was_made_with_as_long_as_that_is_a_fallback(settings: LazySettings) -> None:
    settings.SECRET_KEY = FORMER_KEY
    token = callback_token(JOB)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [FORMER_KEY]
    assert is_job_token(JOB, token)
    assert callback_token(JOB) != token
    settings.SECRET_KEY_FALLBACKS = []
    assert not is_job_token(JOB, token)


def test_a_token_tells_neither_the_job_nor_the_key(settings: LazySettings) -> None:
    token = callback_token(JOB)
    assert len(token) == 64
    assert JOB.hex not in token
    assert settings.SECRET_KEY not in token


# -- global tokens


def test_each_of_the_global_tokens_counts(settings: LazySettings) -> None:
    settings.CALLBACK_SECRET_TOKEN = ["present-token", "former-token"]
    assert is_global_token("present-token")
    assert is_global_token("former-token")


@pytest.mark.parametrize("token", [*STRANGE, "present-token,former-token", "present-toke", "Present-token"])
def test_nothing_else_is_a_global_token(settings: LazySettings, token: str) -> None:
    settings.CALLBACK_SECRET_TOKEN = ["present-token", "former-token"]
    assert not is_global_token(token)


def test_a_global_token_that_was_taken_out_counts_no_more(settings: LazySettings) -> None:
    settings.CALLBACK_SECRET_TOKEN = ["present-token"]
    assert not is_global_token("former-token")


def test_a_global_token_may_hold_any_character(settings: LazySettings) -> None:
    settings.CALLBACK_SECRET_TOKEN = ["schlüssel-日本"]
    assert is_global_token("schlüssel-日本")


@pytest.mark.parametrize("token", ["first", "second", "third", "none of them", "ünïcödé"])
def test_every_candidate_is_compared_in_constant_time_whichever_matches(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def counting(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return compare(left, right)

    settings.CALLBACK_SECRET_TOKEN = ["first", "second", "third"]
    monkeypatch.setattr(hmac, "compare_digest", counting)
    assert is_global_token(token) == (token in settings.CALLBACK_SECRET_TOKEN)
    assert compared == [(32, 32)] * 3  # of one length, too: a token's own length does not show


# -- Standard Webhooks


def signed(body: Iterable[bytes] = (BODY,), *secrets: str, at: float | None = None) -> dict[str, str]:
    return sign_webhook(
        secrets or [SECRET], message_id="msg-1", body=body, timestamp=int(time.time() if at is None else at)
    )


def test_our_signature_satisfies_the_library() -> None:
    assert Webhook(SECRET).verify(BODY, signed())


def test_a_body_in_pieces_is_signed_as_a_whole() -> None:
    assert Webhook(SECRET).verify(BODY, signed(body=[BODY[:5], b"", BODY[5:]]))


def test_the_librarys_signature_satisfies_us() -> None:
    now = datetime.now(UTC)
    headers = {"webhook-id": "msg-1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("msg-1", now, BODY.decode())
    assert webhook_is_signed([SECRET], headers, BODY)


def test_a_secret_without_the_prefix_is_taken_as_it_stands() -> None:
    secret = "a plain text secret of some length"
    as_the_library_wants_it = base64.b64encode(secret.encode()).decode()
    assert Webhook(as_the_library_wants_it).verify(BODY, signed([BODY], secret))


# -- one secret replaces another


def test_whoever_checks_one_of_several_secrets_finds_its_signature() -> None:
    headers = signed([BODY], OTHER_SECRET, SECRET)
    for secret in (OTHER_SECRET, SECRET):
        assert Webhook(secret).verify(BODY, headers)
        assert webhook_is_signed([secret], headers, BODY)
    assert headers["webhook-signature"].split(" ") == [
        signed([BODY], secret)["webhook-signature"] for secret in (OTHER_SECRET, SECRET)
    ]


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
def test_whoever_knows_several_secrets_takes_what_one_of_them_signed(secret: str) -> None:
    assert webhook_is_signed([OTHER_SECRET, SECRET], signed([BODY], secret), BODY)
    assert not webhook_is_signed([OTHER_SECRET, SECRET], signed([BODY], secret), BODY + b" ")
    assert not webhook_is_signed([OTHER_SECRET, SECRET], signed([BODY], "a third one"), BODY)


def test_the_body_is_read_once_however_many_sign_it() -> None:
    pieces = iter([BODY[:5], BODY[5:]])
    assert Webhook(SECRET).verify(BODY, signed(pieces, OTHER_SECRET, SECRET))


# -- what is forged, old or odd


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("webhook-id", lambda _: "msg-2"),
        ("webhook-timestamp", lambda seconds: str(int(seconds) - 1)),
        ("webhook-signature", lambda _: "v1,AAAA"),
        ("webhook-signature", lambda _: ""),
    ],
)
def test_a_tampered_header_is_found_by_us_and_by_the_library(name: str, change: Callable[[str], str]) -> None:
    headers = signed()
    assert webhook_is_signed([SECRET], headers, BODY)
    headers[name] = change(headers[name])
    assert not webhook_is_signed([SECRET], headers, BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)


def test_a_tampered_body_or_another_secret_is_found() -> None:
    headers = signed()
    assert webhook_is_signed([SECRET], headers, BODY)
    assert not webhook_is_signed([SECRET], headers, BODY + b" ")
    assert not webhook_is_signed([OTHER_SECRET], headers, BODY)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_all_three_headers_nothing_is_signed(name: str) -> None:
    headers = signed()
    del headers[name]
    assert not webhook_is_signed([SECRET], headers, BODY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-timestamp", "soon"),
        ("webhook-timestamp", "1" + "0" * 400),
        ("webhook-timestamp", "1" * 5000),
        ("webhook-timestamp", "nan"),
        ("webhook-id", "\ud800"),
        ("webhook-signature", "v1,\ud800"),
        ("webhook-signature", "ünïcödé"),
    ],
)
def test_an_odd_header_is_no_signature(name: str, value: str) -> None:
    assert not webhook_is_signed([SECRET], signed() | {name: value}, BODY)


@pytest.mark.parametrize(("age", "accepted"), [(-290, True), (0, True), (290, True), (-310, False), (310, False)])
def test_a_signature_counts_for_five_minutes_around_its_time(age: int, accepted: bool) -> None:
    assert webhook_is_signed([SECRET], signed(at=time.time() - age), BODY) is accepted


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {headers['webhook-signature']}"
    assert webhook_is_signed([SECRET], headers, BODY)
