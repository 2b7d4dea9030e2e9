"""A picture in as many bytes as there is room for: first at a lower quality, then at a smaller size."""

import io
import math
from dataclasses import dataclass

from PIL import Image

QUALITIES = (90, 80, 65)  # text is hard to read below
MAX_SIDE = 60_000  # a JPEG may have 65,500 (libjpeg)
SMALLER = 0.95  # at the least, so that it comes to an end


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A JPEG that fits."""

    data: bytes
    width: int
    height: int


def fit(picture: Image.Image, most_bytes: int) -> Fitted:
    """Return the picture as a JPEG of at most so many bytes, and of as many pixels as that has room for.

    Raises:
        MemoryError: not even a single pixel fits.
    """
    profile = picture.info.get("icc_profile")
    if max(picture.size) > MAX_SIDE:
        picture = _smaller(picture, MAX_SIDE / max(picture.size))
    while True:
        for quality in QUALITIES:
            data = _jpeg(picture, quality, profile)
            if len(data) <= most_bytes:
                return Fitted(data=data, width=picture.width, height=picture.height)
        if max(picture.size) <= 1:
            raise MemoryError
        picture = _smaller(picture, min(SMALLER, math.sqrt(most_bytes / len(data))))


def _smaller(picture: Image.Image, by: float) -> Image.Image:
    size = (max(1, int(picture.width * by)), max(1, int(picture.height * by)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _jpeg(picture: Image.Image, quality: int, profile: bytes | None) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, icc_profile=profile)
    return file.getvalue()
