"""Reads what N8N is sent, by parsers that know nothing of our code: `json`, and `email` for multipart."""

import base64
import json
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, cast


@dataclass(frozen=True)
class Body:
    """What was found in it; the picture's own name and type are told by a form only."""

    fields: dict[str, Any]
    picture: bytes
    name: str | None = None
    content_type: str | None = None


def parse_body(content_type: str, body: bytes) -> Body:
    """Return what is in a body of that type."""
    return _parse_json(body) if content_type == "application/json" else _parse_form(content_type, body)


def _parse_json(body: bytes) -> Body:
    fields = json.loads(body)
    return Body(fields, base64.b64decode(fields.pop("image_data"), validate=True))


def _parse_form(content_type: str, body: bytes) -> Body:
    message = BytesParser(policy=policy.HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    *texts, file = cast("list[EmailMessage]", list(message.iter_parts()))
    assert not message.defects
    assert [_name(file), *(part["Content-Type"] for part in texts)] == ["file", *[None] * len(texts)]
    return Body(
        fields={_name(part): _bytes(part).decode() for part in texts},
        picture=_bytes(file),
        name=file.get_filename(),
        content_type=file.get_content_type(),
    )


def _name(part: EmailMessage) -> str:
    assert part.get_content_disposition() == "form-data"
    return str(part.get_param("name", header="Content-Disposition"))


def _bytes(part: EmailMessage) -> bytes:
    return cast(bytes, part.get_payload(decode=True))
