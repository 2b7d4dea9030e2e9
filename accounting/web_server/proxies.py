"""What proxies say of a request's client: believed of those that are trusted, and of nobody else."""

import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import takewhile
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress.proxy_headers import proxy_headers_middleware

PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|([\d.]+):\d+")

Address = IPv4Address | IPv6Address


def believe_proxies(application: WSGIApplication, proxies: Sequence[str]) -> WSGIApplication:
    """Return the application behind a layer that takes X-Forwarded-For, -Proto and -Host from these proxies only.

    In a chain, the client is the last address that is not one of ours; what it claims about those before it counts
    for nothing. What cannot be understood counts as not said: the proxy itself is the client then.

    Args:
        application: what answers.
        proxies: addresses and networks.

    Raises:
        ValueError: one of them is neither.
    """
    is_ours = _membership(proxies)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _keep_what_was_seen(environ, is_ours)
        believing = proxy_headers_middleware(
            application,
            trusted_proxy="*" if is_ours(_address(environ["REMOTE_ADDR"])) else None,
            trusted_proxy_headers=PROXY_HEADERS,
        )
        return believing(environ, start_response)

    return answer


def _keep_what_was_seen(environ: WSGIEnvironment, is_ours: Callable[[Address | None], bool]) -> None:
    """Leave of each header what the outermost of our proxies said, which saw the client: each may have added one."""
    hops = map(_address, reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")))
    ours = len(list(takewhile(is_ours, hops)))
    for header, understand in UNDERSTOOD.items():
        said = environ.pop(header, "").split(",")[-1 - ours :][0].strip()
        if understood := understand(said):
            environ[header] = understood


def _membership(proxies: Sequence[str]) -> Callable[[Address | None], bool]:
    networks = [ip_network(proxy, strict=False) for proxy in proxies]

    def is_ours(address: Address | None) -> bool:
        return address is not None and any(address in network for network in networks)

    return is_ours


def _address(hop: str) -> Address | None:
    """Return a hop's address without the port that some proxies add to it; None where it is no address."""
    hop = hop.strip()
    with_port = WITH_PORT.fullmatch(hop)
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else hop)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _client(hop: str) -> str:
    address = _address(hop)
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address or "")


def _scheme(name: str) -> str:
    return name.lower() if name.lower() in ("http", "https") else ""


def _host(name: str) -> str:
    return "" if '"' in name else name  # whether it is one of ours is Django's to judge


UNDERSTOOD: dict[str, Callable[[str], str]] = {
    "HTTP_X_FORWARDED_FOR": _client,
    "HTTP_X_FORWARDED_PROTO": _scheme,
    "HTTP_X_FORWARDED_HOST": _host,
}
