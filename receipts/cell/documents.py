"""PDFs: their first pages as one picture, one below the other on white."""

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import pypdfium2 as pdfium
from PIL import Image
from pypdfium2.raw import FPDF_ERR_PASSWORD

from . import Refused
from .fitting import MAX_SIDE

MAX_PAGES = 5
POINTS_PER_INCH = 72
DOTS_PER_INCH = 200
MAX_PIXELS = 25_000_000  # of all pages; five of A4 have 19 million
# A look draws small, but not so small that it says nothing of what the pixels will cost: what it takes grows at most by
# the square of this, so that what passes within the seconds of a look is drawn within those of a preparation.
LOOK_SCALE = 0.4
N = TypeVar("N", int, float)

END_MARK, END_WITHIN = b"%%EOF", 2048


def look(data: bytes) -> tuple[int, int, int]:
    """Draw the first pages small; return the size of the picture that will be made of them, and how many there are."""
    sizes = []
    with _open(data) as document:
        for page, scale in _pages(document):
            width, height = page.get_size()
            sizes.append((math.ceil(width * scale), math.ceil(height * scale)))
            _draw(page, scale * LOOK_SCALE)
        return *_stacked(sizes), len(document)


def draw(data: bytes) -> Image.Image:
    """Return the pages as one picture."""
    with _open(data) as document:
        drawn = [_draw(page, scale) for page, scale in _pages(document)]
    paper = Image.new("RGB", _stacked([picture.size for picture in drawn]), "white")
    top = 0
    for picture in drawn:
        paper.paste(picture, ((paper.width - picture.width) // 2, top))
        top += picture.height
    return paper


def draw_small(data: bytes) -> Image.Image:
    """Return the first page, drawn small."""
    with _open(data) as document:
        page, scale = next(_pages(document))
        return _draw(page, scale * LOOK_SCALE)


def _pages(document: pdfium.PdfDocument) -> Iterator[tuple[pdfium.PdfPage, float]]:
    """Yield the first pages, each with the number of pixels that a point of it gets."""
    number = min(len(document), MAX_PAGES)
    if not number:
        raise Refused("broken")
    scales = _scales([document.get_page_size(index) for index in range(number)])
    for index in range(number):
        page = document[index]
        yield page, scales[index]
        page.close()


def _open(data: bytes) -> pdfium.PdfDocument:
    if END_MARK not in data[-END_WITHIN:]:
        raise Refused("broken")  # pdfium would show what is left of a cut file
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise Refused("encrypted" if error.err_code == FPDF_ERR_PASSWORD else "broken") from None
    document.init_forms()  # what was typed into a form is drawn, too
    return document


def _scales(sizes: list[tuple[float, float]]) -> list[float]:
    """Return each page's scale: of the wanted resolution, or of what there is room for on the paper of all pages."""
    scales = [_scale(size, MAX_PIXELS / len(sizes), MAX_SIDE / len(sizes)) for size in sizes]
    width, height = _stacked([(size[0] * scale, size[1] * scale) for size, scale in zip(sizes, scales, strict=True)])
    room = min(1.0, math.sqrt(MAX_PIXELS / (width * height)))  # beside a wide page, a high one has white margins
    return [scale * room for scale in scales]


def _scale(size: tuple[float, float], most_pixels: float, most_side: float) -> float:
    width, height = size
    room = math.sqrt(most_pixels / (width * height))
    return min(DOTS_PER_INCH / POINTS_PER_INCH, room, most_side / max(width, height))


def _draw(page: pdfium.PdfPage, scale: float) -> Image.Image:
    drawn: Image.Image = page.render(scale=scale, rev_byteorder=True, limit_image_cache=True).to_pil()
    return drawn


def _stacked(sizes: Sequence[tuple[N, N]]) -> tuple[N, N]:
    return max(width for width, _ in sizes), sum(height for _, height in sizes)
