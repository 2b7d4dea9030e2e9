"""Draws slips of paper with some lines on them: what looks like no receipt, to people or to a machine."""

import io
from typing import NamedTuple

LINE = 32  # pixels from one line to the next, twice the size of the letters


class Note(NamedTuple):
    """A slip: the bytes of its PNG file, and its pixels."""

    content: bytes
    width: int
    height: int


def draw_note(*lines: str) -> Note:
    """Print the lines on a white slip."""
    from PIL import Image, ImageDraw, ImageFont  # FreeType takes 1.5 MB, and few processes ever write

    font = ImageFont.load_default(size=LINE / 2)
    width, height = LINE // 2 * max(map(len, lines)), LINE * (len(lines) + 1)
    slip = Image.new("L", (width, height), 255)
    for number, line in enumerate(lines, 1):
        ImageDraw.Draw(slip).text((width / 2, LINE * number), line, fill=0, font=font, anchor="mm")
    file = io.BytesIO()
    slip.save(file, "PNG")
    return Note(file.getvalue(), width, height)
