"""How a Redis is reached: by its own address, or by Sentinels, which know the one that is the master just now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

PLAIN, WITH_TLS = "redis+sentinel", "rediss+sentinel"
PORT = 26379
CONNECT_SECONDS = 0.5
# a Sentinel answers at once, or is passed over for the next one
BRIEFLY = {"socket_timeout": CONNECT_SECONDS, "socket_connect_timeout": CONNECT_SECONDS, "retry": Retry(NoBackoff(), 0)}


@dataclass(frozen=True)
class SentinelURL:
    """What `redis+sentinel://user:password@host:26379,host2:26379/name/0` says.

    Attributes:
        hosts: the Sentinels'.
        name: the master's, as the Sentinels call it.
        server, sentinel: how the Redis servers, and how the Sentinels are connected to.
    """

    hosts: tuple[tuple[str, int], ...]
    name: str
    server: Mapping[str, Any]
    sentinel: Mapping[str, Any]


def parse(url: str) -> SentinelURL | None:
    """Read an address; None where it is that of a server itself.

    Raises:
        ValueError: it cannot be understood.
    """
    parts = urlsplit(url)
    if parts.scheme not in (PLAIN, WITH_TLS):
        return None
    credentials, _, joined = parts.netloc.rpartition("@")
    user, _, password = map(unquote, credentials.partition(":"))
    name, _, number = parts.path.strip("/").partition("/")
    if not name:
        raise ValueError
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    tls = _tls(parts, options.pop("ssl_ca_certs", None))
    login = {"username": options.pop("sentinel_username", None), "password": options.pop("sentinel_password", None)}
    if options:
        raise ValueError
    return SentinelURL(
        hosts=tuple(_host(item) for item in joined.split(",")),
        name=name,
        server={"db": int(number or 0), "username": user or None, "password": password or None, **tls},
        sentinel={**login, **tls, **BRIEFLY},
    )


def connect(url: str, **options: Any) -> Redis:
    """Return a pooled client of the Redis at an address, whichever server that is each time it connects."""
    sentinel_url = parse(url)
    if sentinel_url is None:
        return Redis.from_url(url, **options)
    sentinel = Sentinel(sentinel_url.hosts, sentinel_kwargs=dict(sentinel_url.sentinel))  # type: ignore[no-untyped-call] # redis-py
    client: Redis = sentinel.master_for(sentinel_url.name, **sentinel_url.server, **options)  # type: ignore[no-untyped-call] # it
    return client


def rq_connection(url: str) -> dict[str, Any]:
    """Return the same for `RQ_QUEUES`."""
    sentinel_url = parse(url)
    if sentinel_url is None:
        return {"URL": url}
    return {
        "SENTINELS": list(sentinel_url.hosts),
        "MASTER_NAME": sentinel_url.name,
        "DB": sentinel_url.server["db"],
        "USERNAME": sentinel_url.server["username"],
        "PASSWORD": sentinel_url.server["password"],
        "CONNECTION_KWARGS": {key: value for key, value in sentinel_url.server.items() if key.startswith("ssl")}
        | {"socket_connect_timeout": CONNECT_SECONDS},
        "SENTINEL_KWARGS": dict(sentinel_url.sentinel),
    }


def _host(item: str) -> tuple[str, int]:
    parts = urlsplit(f"//{item}")
    if not parts.hostname or parts.port == 0:
        raise ValueError
    return parts.hostname, parts.port or PORT


def _tls(parts: SplitResult, ca_file: str | None) -> dict[str, Any]:
    if parts.scheme == WITH_TLS:
        return {"ssl": True, "ssl_ca_certs": ca_file}
    if ca_file:
        raise ValueError
    return {}
