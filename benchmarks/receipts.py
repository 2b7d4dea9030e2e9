"""The receipts that benchmarks send: pictures of the sizes that phones make, drawn and not padded."""

import io
from collections.abc import Callable
from functools import cache

from PIL import Image

from receipts.sample import draw_receipt


def _noise() -> bytes:
    """Return 12 megapixels that compress as badly as a photograph in bad light."""
    picture = io.BytesIO()
    Image.effect_noise((3000, 4000), 60).convert("RGB").save(picture, "JPEG", quality=88)
    return picture.getvalue()


DRAWN: dict[str, Callable[[], bytes]] = {
    "220 KB": lambda: draw_receipt(size=(1040, 1440)),
    "2 MB": lambda: draw_receipt(size=(3600, 4800)),
    "8 MB": _noise,
}


@cache
def receipt_of(size: str) -> bytes:
    """Return a receipt of about that size, as `DRAWN` has it."""
    return DRAWN[size]()
