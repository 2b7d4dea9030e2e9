"""What a secret must be: long, of many characters, and printed in nobody's documentation."""

import base64
import binascii

MIN_LENGTH = 32
MIN_DISTINCT = 8  # 32 random hexadecimal digits have fewer less than once in ten million times
# What stands in examples, ours and others', and what fingers type by themselves.
KNOWN = ("change-me", "change_me", "changeme", "made-up", "example", "insecure", "placeholder", "password", "qwerty",
         "0123456789", "1234567890", "abcdefgh")  # fmt: skip

# Standard Webhooks, section "Symmetric": a prefix, then 24 to 64 bytes in base64.
STANDARD_PREFIX = "whsec_"
STANDARD_BYTES = range(24, 65)


def weakness(secret: str) -> str:
    """Return what is wrong with a secret, as the end of a sentence; "" where nothing is. The secret is not quoted."""
    if any(known in secret.lower() for known in KNOWN):
        return "is an example's value, or as easily guessed"
    if len(secret) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    if len(set(secret)) < MIN_DISTINCT:
        return f"has fewer than {MIN_DISTINCT} different characters"
    if secret.startswith(STANDARD_PREFIX) and len(standard_key(secret)) not in STANDARD_BYTES:
        return "begins with whsec_, which 24 to 64 bytes in base64 have to follow"
    return ""


def standard_key(secret: str) -> bytes:
    """Return the bytes that a `whsec_` secret stands for; none where it is no base64."""
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
