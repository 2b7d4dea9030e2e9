"""What is known of a file's bytes."""

import hashlib
from dataclasses import dataclass
from typing import IO

from django.core.files.base import File


@dataclass(frozen=True, kw_only=True)
class CheckedUpload:
    """An upload whose bytes were looked at, and what was found in them."""

    file: "File[bytes]"
    sha256: str
    size: int
    content_type: str
    width: int
    height: int
    pages: int = 1


def digest(file: "File[bytes]") -> str:
    """Return the SHA-256 of all of a file, in hex."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def read_at(file: IO[bytes], at: int, size: int) -> bytes:
    """Return so many bytes of a file from there on, fewer where it ends before."""
    file.seek(at)
    return file.read(size)
