"""The forms in which N8N can get a delivery: in each, the picture comes in pieces between a head and a tail."""

import base64
import json
from collections.abc import Mapping

from accounting.forms.multipart import frame

PICTURE_FIELD = "image_data"
PICTURE_PART = "file"

Fields = Mapping[str, str | int]


class JsonEncoding:
    """One JSON object, with the picture in base64 (RFC 4648 section 4) as its last member."""

    content_type = "application/json"
    tail = b'"}'

    def __init__(self, fields: Fields) -> None:
        self.head = json.dumps(fields)[:-1].encode() + f', "{PICTURE_FIELD}": "'.encode()

    @staticmethod
    def encode(piece: bytes) -> bytes:
        """Return a piece of the picture as it stands in the body; all but the last have a multiple of three bytes."""
        return base64.b64encode(piece)

    @staticmethod
    def encoded_size(size: int) -> int:
        """Return how many bytes a picture of so many comes to: a third more, and what fills up the last four."""
        return (size + 2) // 3 * 4

    @staticmethod
    def room(encoded: int) -> int:
        """Return how many bytes a picture may have, so that it comes to no more than so many."""
        return encoded // 4 * 3


class MultipartEncoding:
    """multipart/form-data: the fields as text, then the picture's own bytes as the file `file`."""

    def __init__(self, fields: Fields) -> None:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        self.content_type, self.head, self.tail = frame(
            texts, file=PICTURE_PART, filename=texts["filename"], content_type=texts["content_type"]
        )

    @staticmethod
    def encode(piece: bytes) -> bytes:
        """Leave it as it is."""
        return piece

    @staticmethod
    def encoded_size(size: int) -> int:
        """Add nothing."""
        return size

    @staticmethod
    def room(encoded: int) -> int:
        """Take nothing away."""
        return encoded


Encoding = JsonEncoding | MultipartEncoding
ENCODINGS: dict[str, type[Encoding]] = {"json": JsonEncoding, "multipart": MultipartEncoding}
