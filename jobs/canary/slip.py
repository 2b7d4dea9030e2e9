"""A canary's picture: a slip of paper that looks like no receipt, to people or to a machine."""

import io
import secrets
from datetime import datetime

from django.core.files.base import ContentFile

from receipts.files import CheckedUpload, digest

FILENAME = "canary.png"
LINE = 32  # pixels from one line to the next, twice the size of the letters


def draw_slip(now: datetime) -> CheckedUpload:
    """Print the time and a number on a white slip; the latter makes each a receipt of its own."""
    from PIL import Image, ImageDraw, ImageFont  # FreeType takes 1.5 MB, and few processes ever write

    lines = (
        "Canary",
        f"{now:%Y-%m-%d %H:%M:%S.%f} UTC",
        f"No. {secrets.token_hex(8)}",
        "Shows that receipts arrive. Nothing to file.",
    )
    font = ImageFont.load_default(size=LINE / 2)
    width, height = LINE // 2 * max(map(len, lines)), LINE * (len(lines) + 1)
    slip = Image.new("L", (width, height), 255)
    for number, line in enumerate(lines, 1):
        ImageDraw.Draw(slip).text((width / 2, LINE * number), line, fill=0, font=font, anchor="mm")
    png = io.BytesIO()
    slip.save(png, "PNG")
    file = ContentFile(png.getvalue(), name=FILENAME)
    return CheckedUpload(
        file=file, sha256=digest(file), size=file.size, content_type="image/png", width=width, height=height
    )
