"""Forms with one file (RFC 7578), written so that the file need not be in memory: what comes before it, and after."""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from urllib3 import encode_multipart_formdata


class Frame(NamedTuple):
    """What is around the file's bytes, and the type of the whole."""

    content_type: str
    head: bytes
    tail: bytes


def frame(texts: Mapping[str, str], *, file: str, filename: str, content_type: str) -> Frame:
    """Write a form around a file that comes last.

    Names are written as browsers write them (https://html.spec.whatwg.org/#multipart-form-data). The boundary is drawn
    when everything that it has to be absent from is long there: nobody could put it in.

    Args:
        texts: the other fields; they get no type, since N8N's parser takes a part that has one for a file.
        file: the field of the file; `filename` and `content_type` are what is said of it.
    """
    boundary = secrets.token_hex(16)
    parts: dict[str, str | tuple[str, bytes, str]] = {**texts, file: (filename, b"", content_type)}
    whole, type_of_whole = encode_multipart_formdata(parts, boundary)
    tail = f"\r\n--{boundary}--\r\n".encode()
    return Frame(type_of_whole, whole.removesuffix(tail), tail)
