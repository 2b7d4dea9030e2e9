"""A picture in as many bytes as there is room for: first at a lower quality, then at a smaller size."""

import io
from dataclasses import dataclass

from PIL import Image

QUALITIES = (90, 80, 65)  # text is hard to read below
SMALLER = 0.75


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A JPEG that fits."""

    data: bytes
    width: int
    height: int


def fit(picture: Image.Image, most_bytes: int) -> Fitted:
    """Return the picture as a JPEG of at most so many bytes; the smallest there is, where none is small enough."""
    profile = picture.info.get("icc_profile")
    while True:
        for quality in QUALITIES:
            data = _jpeg(picture, quality, profile)
            if len(data) <= most_bytes:
                return Fitted(data=data, width=picture.width, height=picture.height)
        if max(picture.size) <= 1:
            raise MemoryError
        smaller = (max(1, int(picture.width * SMALLER)), max(1, int(picture.height * SMALLER)))
        picture = picture.resize(smaller, Image.Resampling.LANCZOS)


def _jpeg(picture: Image.Image, quality: int, profile: bytes | None) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, icc_profile=profile)
    return file.getvalue()
