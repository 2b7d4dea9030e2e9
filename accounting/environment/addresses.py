"""Addresses that settings may hold, and files that these name; whatever cannot be understood is a `ValueError`."""

import re
import ssl
from urllib.parse import urlsplit

from redis import ConnectionPool
from redis.exceptions import RedisError

from accounting.redis import sentinels

HOST = re.compile(r"[\w.:%-]+")


def absolute_url(value: str) -> str:
    """Return an http(s) address with its scheme in lower case, and without a slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or (parts.port is not None and parts.port < 1):
        raise ValueError
    if not HOST.fullmatch(parts.hostname or ""):
        raise ValueError
    host_of(value)  # UnicodeError, which is a ValueError, where IDNA knows no such host
    return f"{parts.scheme}:{value.partition(':')[2]}".rstrip("/")


def url_without_user(value: str) -> str:
    """Return one that names no user: HTTP clients put that in the place of another `Authorization`."""
    if "@" in urlsplit(value).netloc:
        raise ValueError
    return absolute_url(value)


def base_url(value: str) -> str:
    """Return one that holds neither question, fragment nor user."""
    if any(mark in value for mark in "?#@"):
        raise ValueError
    return absolute_url(value)


def origin(value: str) -> str:
    """Return one of those that has no path either."""
    url = base_url(value)
    if urlsplit(url).path:
        raise ValueError
    return url


def form_origin(value: str) -> str:
    """Return an origin as browsers write it; a star may stand for what is before a domain."""
    return origin(value.replace("://*.", "://", 1)) and value.rstrip("/").lower()


def host_of(url: str) -> str:
    """Return the host of an http(s) address as a request names it: in ASCII, of IPv6 in brackets."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    if ":" in host:
        return f"[{host}]"
    return host if host.isascii() else host.encode("idna").decode()


def redis_url(value: str) -> str:
    """Return the address of a Redis, or of the Sentinels that know it."""
    if (watched := sentinels.parse(value)) is not None:
        authority(watched.server.get("ssl_ca_certs") or "")
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path) or parts.port == 0:
        raise ValueError
    if parts.scheme != "unix" and not re.fullmatch(r"/?|/\d+", parts.path):
        raise ValueError  # redis would take the first database for one that has no number
    try:
        pool = ConnectionPool.from_url(value)
        pool.connection_class(**pool.connection_kwargs)  # it connects later, but knows its options now
    except (TypeError, RedisError):
        raise ValueError from None
    authority(pool.connection_kwargs.get("ssl_ca_certs") or "")
    return value


def authority(path: str) -> str:
    """Return the path of a file with certificates to trust, or ""."""
    try:
        if path:
            ssl.create_default_context(cafile=path)
    except OSError:  # ssl.SSLError is one
        raise ValueError from None
    return path


def dsn(value: str) -> str:
    """Return where Sentry takes reports, or ""."""
    parts = urlsplit(value)
    if value and not (parts.username and parts.path.rpartition("/")[2].isdigit()):
        raise ValueError
    return absolute_url(value) if value else ""
