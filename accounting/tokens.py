"""Whether a token is one of those that count."""

import hashlib
import hmac
from collections.abc import Sequence


def is_one_of(token: str, known: Sequence[str]) -> bool:
    """Compare with every candidate, in constant time: digests are of one length, and bytes of any kind."""
    digest = _digest(token)
    matches = [hmac.compare_digest(digest, _digest(candidate)) for candidate in known]
    return any(matches)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
