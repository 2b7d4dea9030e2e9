"""Who calls, as far as counting needs to know: by the address that the web server vouches for."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

UNKNOWN = "::"  # a Unix socket has no address


def network_of(request: HttpRequest) -> str:
    """Return the part of the caller's address that it cannot change at will.

    The address is REMOTE_ADDR, as `accounting.web_server.proxies.believe_proxies` leaves it; of IPv6 the first 64 bits,
    since the others are one subscriber's to choose (RFC 7721, RFC 6177).
    """
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return UNKNOWN
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False).network_address)
