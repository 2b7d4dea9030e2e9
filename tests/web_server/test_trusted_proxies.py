"""Whom the web process believes about a caller: the proxies that it was told to trust, and nobody else."""

from wsgiref.types import WSGIEnvironment
from wsgiref.util import setup_testing_defaults

import pytest

from accounting.web_server.proxies import believe_proxies

from .in_process_server import tell_caller

PROXIES = ["10.0.0.5", "192.168.0.0/16", "2001:db8::/32"]
FORWARDED = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "receipts.example.com"}


def seen(peer: str, forwarded_for: str = "", **headers: str) -> str:
    environ: WSGIEnvironment = {"REMOTE_ADDR": peer, "HTTP_HOST": "127.0.0.1", **headers}
    if forwarded_for:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded_for
    setup_testing_defaults(environ)
    answer = believe_proxies(tell_caller, PROXIES)(environ, lambda *_: lambda _: None)
    return b"".join(answer).decode()


@pytest.mark.parametrize("peer", ["10.0.0.5", "192.168.7.7", "2001:db8::7"])
def test_a_trusted_proxy_is_believed(peer: str) -> None:
    assert seen(peer, "203.0.113.9", **FORWARDED) == "203.0.113.9 https receipts.example.com"


@pytest.mark.parametrize("peer", ["10.0.0.6", "203.0.113.9", "2001:db9::1"])
def test_nobody_else_is(peer: str) -> None:
    assert seen(peer, "198.51.100.1", **FORWARDED) == f"{peer} http 127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.9, 192.168.7.7", "203.0.113.9"),  # the outer proxy of two is ours, too
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the client made up whom it speaks for
        ("10.0.0.5, 203.0.113.9", "203.0.113.9"),  # even as one of ours
        ("192.168.7.7", "192.168.7.7"),  # a call from a proxy itself
    ],
)
def test_in_a_chain_the_client_is_the_last_that_is_not_ours(forwarded_for: str, client: str) -> None:
    assert seen("10.0.0.5", forwarded_for).split()[0] == client


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db9::1", "2001:db9::1"),
        ("[2001:db9::1]", "2001:db9::1"),
        ("[2001:db9::1]:4711", "2001:db9::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 192.168.7.7:4711", "203.0.113.9"),
        ('"made up, 203.0.113.9', "203.0.113.9"),  # a client's own nonsense before its address
    ],
)
def test_an_address_is_understood_in_each_of_its_forms(forwarded_for: str, client: str) -> None:
    assert seen("10.0.0.5", forwarded_for).split()[0] == client


def test_a_proxy_may_come_by_its_mapped_address() -> None:
    assert seen("::ffff:10.0.0.5", "203.0.113.9").split()[0] == "203.0.113.9"


NONSENSE = ["unknown", "_hidden", '"', '"203.0.113.9', "203.0.113", "a b", "[", "[]", "203.0.113.9:port", "1" * 5000,
            "203.0.113.9,", ", ,", "\xff"]  # fmt: skip


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda text: ascii(text)[:20])
def test_of_a_proxy_that_talks_nonsense_the_proxy_itself_is_the_caller(nonsense: str) -> None:
    assert seen("10.0.0.5", nonsense) == "10.0.0.5 http 127.0.0.1"
    assert seen("10.0.0.5", f"198.51.100.1, {nonsense}") == "10.0.0.5 http 127.0.0.1"


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("http, https", "https"),  # the client's own, then the proxy's
        ("https, http", "http"),
        ("https,", "http"),
        ("ftp", "http"),
        ('"https', "http"),
        ("", "http"),
    ],
)
def test_a_scheme_that_is_none_counts_as_not_said(proto: str, scheme: str) -> None:
    assert seen("10.0.0.5", "203.0.113.9", HTTP_X_FORWARDED_PROTO=proto) == f"203.0.113.9 {scheme} 127.0.0.1"


def test_of_two_proxies_of_ours_the_outer_one_knows_the_scheme_and_the_host() -> None:
    added = {"HTTP_X_FORWARDED_PROTO": "https, http", "HTTP_X_FORWARDED_HOST": "receipts.example.com, inner:8000"}
    assert seen("10.0.0.5", "203.0.113.9, 192.168.7.7", **added) == "203.0.113.9 https receipts.example.com"


def test_a_host_with_a_stray_quote_counts_as_not_said() -> None:
    assert seen("10.0.0.5", "203.0.113.9", HTTP_X_FORWARDED_HOST='receipts".example.com').split()[2] == "127.0.0.1"


def test_a_proxy_that_tells_nothing_is_the_caller() -> None:
    assert seen("10.0.0.5") == "10.0.0.5 http 127.0.0.1"
