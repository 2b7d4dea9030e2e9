"""System checks: rules across settings, each with the cure as its hint."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from accounting.environment.addresses import authority
from receipts.formats import CONTENT_TYPES
from receipts.storage import PrivateFileStorage, receipt_storage

from .connect.workflows import is_test_url
from .transport import tls_verification

SETTINGS = "settings"  # the tag of these checks
DAY_SECONDS = 86_400
# secrets of which there may be several
NEWEST_FIRST = ("AUDIT_KEY", "N8N_WEBHOOK_SECRET", "CALLBACK_SECRET_TOKEN", "METRICS_TOKEN")


@checks.register(SETTINGS)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return what is wrong among the settings of uploads, deliveries and the audit."""
    rules = (
        _misspelt, _formats, _schedule, _tls, _keys, _scheme, _proxies, _audit_key, _one_for_all, _media, _test_address,
        _public_api, _log_level,
    )  # fmt: skip
    return [message for rule in rules for message in rule()]


def _misspelt() -> Iterator[checks.CheckMessage]:
    for name, meant in settings.MISSPELT.items():
        yield checks.Warning(
            f"{name} is no setting, and counts for nothing.",
            hint=f"Was it to be {meant}? Correct it, or take it out.",
            id="jobs.W009",
        )


def _formats() -> Iterator[checks.CheckMessage]:
    unknown = sorted(set(settings.UPLOAD_FORMATS) - set(CONTENT_TYPES))
    if unknown or not settings.UPLOAD_FORMATS:
        yield checks.Error(
            f"UPLOAD_FORMATS names what cannot be read: {', '.join(unknown) or 'nothing at all'}.",
            hint=f"Name some of: {', '.join(CONTENT_TYPES)}.",
            id="jobs.E001",
        )


def _schedule() -> Iterator[checks.CheckMessage]:
    if sum(settings.DELIVERY_RETRY_SCHEDULE) < DAY_SECONDS:
        yield checks.Warning(
            "DELIVERY_RETRY_SCHEDULE gives up within a day: an N8N that is down for longer ends receipts.",
            hint="Let its seconds add up to 86400 or more.",
            id="jobs.W001",
        )


def _tls() -> Iterator[checks.CheckMessage]:
    verify = tls_verification()
    if isinstance(verify, str) and not _is_bundle(Path(verify)):
        yield checks.Error(
            "N8N_VERIFY_SSL is neither true, nor false, nor the path of a CA bundle.",
            hint="Set it to true, or to a file with the certificates to trust.",
            id="jobs.E003",
        )
    if verify is False and settings.N8N_WEBHOOK_URL.startswith("https://"):
        yield checks.Warning(
            "N8N's TLS certificate is not verified: whoever sits between reads receipts and secrets.",
            hint="Set N8N_VERIFY_SSL to true, or to the path of the CA bundle that signed it.",
            id="jobs.W002",
        )


def _is_bundle(path: Path) -> bool:
    try:
        return path.is_dir() or bool(authority(str(path)))
    except ValueError:
        return False


def _keys() -> Iterator[checks.CheckMessage]:
    for name in ("N8N_API_KEY", "N8N_PUBLIC_API_KEY"):
        key = getattr(settings, name)
        if not (key.isascii() and key.isprintable()):
            yield checks.Error(
                f"{name} holds letters that no HTTP header can carry: every request with it would fail.",
                hint="Use visible ASCII characters only, here and in N8N.",
                id="jobs.E004",
            )


def _scheme() -> Iterator[checks.CheckMessage]:
    if settings.N8N_API_KEY.lower().startswith("bearer "):
        yield checks.Warning(
            "N8N_API_KEY begins with Bearer, which is put before it anyway: N8N is shown the word twice.",
            hint="Leave the word out here; the value of N8N's credential keeps it.",
            id="jobs.W008",
        )


def _proxies() -> Iterator[checks.CheckMessage]:
    if settings.SECURE_SSL_REDIRECT and not settings.TRUSTED_PROXIES:
        yield checks.Warning(
            "PUBLIC_BASE_URL is https, and TRUSTED_PROXIES is empty: nobody is believed that a browser came by https, "
            "so each is sent there again and again.",
            hint="Set TRUSTED_PROXIES to the addresses or networks of the proxy that ends TLS.",
            id="jobs.W003",
        )
    if any(ip_network(network).prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        yield checks.Warning(
            "TRUSTED_PROXIES names every address there is: whoever writes an X-Forwarded-For passes for anybody, and "
            "no lock and no limit by address holds.",
            hint="Name the proxy alone, or the network of the proxies.",
            id="jobs.W010",
        )


def _audit_key() -> Iterator[checks.CheckMessage]:
    if not settings.AUDIT_KEY:
        yield checks.Warning(
            "AUDIT_KEY is not set: the audit is signed with SECRET_KEY, and no longer verifies once that is replaced.",
            hint="Set it to a secret of its own; if events are signed already, by the steps in docs/operations.md.",
            id="jobs.W004",
        )


def _one_for_all() -> Iterator[checks.CheckMessage]:
    secrets = {
        "SECRET_KEY": settings.SECRET_KEY,
        "N8N_API_KEY": settings.N8N_API_KEY,
        **{name: value for name in NEWEST_FIRST for value in getattr(settings, name)[:1]},
    }
    names = sorted(name for name, value in secrets.items() if list(secrets.values()).count(value) > 1)
    if names:
        yield checks.Warning(
            f"{' and '.join(names)} have one value in common: who learns it from one place opens the others, too.",
            hint="Give each a secret of its own.",
            id="jobs.W007",
        )


def _media() -> Iterator[checks.CheckMessage]:
    if isinstance(receipt_storage(), PrivateFileStorage) and not _can_be_folder(Path(settings.MEDIA_ROOT)):
        yield checks.Error(
            "MEDIA_ROOT is no folder, and none can be made there: a file is there or above it, or it is forbidden.",
            hint="Set MEDIA_ROOT to a folder, or to where one can be made.",
            id="jobs.E005",
        )


def _can_be_folder(folder: Path) -> bool:
    """Tell whether it is one, or could be made: root may make none in every place, whatever the rights say."""
    try:
        lowest = next(path for path in (folder, *folder.parents) if path.exists())
        if lowest != folder:
            Path(mkdtemp(dir=lowest)).rmdir()
        return lowest.is_dir()
    except OSError:
        return False


def _test_address() -> Iterator[checks.CheckMessage]:
    if is_test_url():
        yield checks.Warning(
            "N8N_WEBHOOK_URL is the address of a test: N8N answers there only while somebody tests in its editor.",
            hint="Set it to the production URL that the Webhook node shows.",
            id="jobs.W005",
        )


def _public_api() -> Iterator[checks.CheckMessage]:
    if settings.N8N_PUBLIC_API_KEY and not settings.N8N_BASE_URL:
        yield checks.Warning(
            "N8N_PUBLIC_API_KEY is set and N8N_BASE_URL is not: N8N is never asked what became of a job.",
            hint="Set N8N_BASE_URL to the address of N8N's editor.",
            id="jobs.W006",
        )


def _log_level() -> Iterator[checks.CheckMessage]:
    if settings.LOG_LEVEL in ("WARNING", "ERROR"):
        yield checks.Warning(
            f"With LOG_LEVEL={settings.LOG_LEVEL} neither seals nor requests are logged.",
            hint="Set it to INFO: an audit compares seals with the log, and errors are looked up among the requests.",
            id="jobs.W011",
        )
