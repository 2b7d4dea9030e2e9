"""Jobs for pictures of all kinds, and what N8N gets of them."""

import base64
import io
import json
from typing import Any

from PIL import Image, ImageChops, ImageStat

from jobs.models import JobLog
from jobs.payload import Payload
from tests.factories import JobFactory, ReceiptFactory

from .pictures import drawn, saved

ORIENTATION = 0x0112
# how a phone that was held so writes the picture (Exif 2.32, tag Orientation): what turns it back
TURNED = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def job_for(content: bytes, content_type: str, **fields: Any) -> JobLog:
    return JobFactory.create(receipt=ReceiptFactory.create(content=content, content_type=content_type), **fields)


def sent(job: JobLog) -> tuple[dict[str, Any], bytes]:
    """Return the fields of a delivery, and the picture in it."""
    body = Payload(job)
    fields = json.loads(b"".join(body))
    assert len(body) == len(b"".join(body))
    return fields, base64.b64decode(fields.pop("image_data"))


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["JPEG"])


def looks_like(content: bytes, expected: Image.Image) -> bool:
    """Tell whether a picture shows the same, but for what encoding changes."""
    picture = opened(content).convert("L")
    if picture.size != expected.size:
        return False
    return bool(ImageStat.Stat(ImageChops.difference(picture, expected.convert("L"))).mean[0] < 6)


def turned(orientation: int, form: str) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(drawn().transpose(TURNED[orientation]), form, exif=exif.tobytes(), quality=90)
