"""What is set here that has to do with N8N: addresses, and whether secrets are set, never what they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from jobs.transport import tls_verification

from .workflows import checked_text, is_test_url, signing_text

TEST_URL = "It answers once after a click in the editor, and no longer: set the production URL."
LOOPBACK = "Seen from N8N's machine that is itself: set an address at which N8N reaches this service."
UNSIGNED = "What is sent carries no signature; the key alone says who sends it."
NOT_CHECKED = "The workflows do not check it: N8N keeps a secret as text, and this one stands for other bytes."
OF_A_FORM = "The workflows do not check it: N8N gives them no raw body of a form. With N8N_PAYLOAD=json they do."
UNVERIFIED = "Whoever sits between reads receipts and secrets."
NO_KEY = "With it, and with N8N_BASE_URL, a button installs the workflows."


@dataclass(frozen=True, kw_only=True)
class SettingInForce:
    """One setting in force.

    Attributes:
        name: in words.
        setting: that decides it.
        address: where it is one.
        word: what is to be known of it.
        tone: of the word: good, warn, or "" for neither.
        note: what somebody should do, or know.
    """

    name: str
    setting: str
    address: str = ""
    word: str = ""
    tone: str = ""
    note: str = ""


def settings_in_force(*, whole: bool) -> list[SettingInForce]:
    """Return what is in force.

    Args:
        whole: the webhook's path, which is a secret of sorts, is shown as well.
    """
    return [_webhook(whole=whole), _callback(), *_secrets(), *_tls(), *_api()]


def _webhook(*, whole: bool) -> SettingInForce:
    parts = urlsplit(settings.N8N_WEBHOOK_URL)
    host = parts.netloc.rpartition("@")[2]  # a user and a password in it are for nobody
    address = parts._replace(netloc=host).geturl() if whole else f"{parts.scheme}://{host}/…"
    warning = {"word": "test URL", "tone": "warn", "note": TEST_URL} if is_test_url() else {}
    return SettingInForce(name="Receipts go to", setting="N8N_WEBHOOK_URL", address=address, **warning)


def _callback() -> SettingInForce:
    address = f"{settings.CALLBACK_BASE_URL}{reverse('job-list')}…/callback"
    is_away = _is_loopback(settings.CALLBACK_BASE_URL) and not _is_loopback(settings.N8N_WEBHOOK_URL)
    warning = {"word": "not reached from there", "tone": "warn", "note": LOOPBACK} if is_away else {}
    return SettingInForce(name="N8N calls back at", setting="CALLBACK_BASE_URL", address=address, **warning)


def _secrets() -> Iterator[SettingInForce]:
    yield SettingInForce(name="Key of the webhook", setting="N8N_API_KEY", **_set_or_not(settings.N8N_API_KEY))
    signing = _set_or_not(settings.N8N_WEBHOOK_SECRET, otherwise=UNSIGNED)
    if settings.N8N_WEBHOOK_SECRET and not checked_text():
        signing["note"] = OF_A_FORM if signing_text() else NOT_CHECKED
    yield SettingInForce(name="Signature", setting="N8N_WEBHOOK_SECRET", **signing)


def _tls() -> Iterator[SettingInForce]:
    if settings.N8N_WEBHOOK_URL.startswith("https://"):
        good = {"word": "verified", "tone": "good"}
        bad = {"word": "not verified", "tone": "warn", "note": UNVERIFIED}
        verdict = good if tls_verification() else bad
        yield SettingInForce(name="N8N's certificate", setting="N8N_VERIFY_SSL", **verdict)


def _api() -> Iterator[SettingInForce]:
    base, key = settings.N8N_BASE_URL, settings.N8N_PUBLIC_API_KEY
    word = {} if base else {"word": "not set"}
    yield SettingInForce(name="N8N's editor", setting="N8N_BASE_URL", address=base, **word)
    yield SettingInForce(name="Key of N8N's API", setting="N8N_PUBLIC_API_KEY", **_set_or_not(key, otherwise=NO_KEY))


def _set_or_not(value: object, otherwise: str = "") -> dict[str, str]:
    return {"word": "set", "tone": "good"} if value else {"word": "not set", "note": otherwise}


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
