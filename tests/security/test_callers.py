"""Callers are counted by the network that their address lies in."""

import pytest
from django.test import RequestFactory

from accounting.callers import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("", "::"),
        ("localhost", "::"),
    ],
)
def test_a_caller_counts_as_its_network_whatever_it_says_of_itself(address: str, network: str) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR="198.51.100.9")
    assert network_of(request) == network
