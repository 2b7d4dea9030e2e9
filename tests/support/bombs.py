"""Files of up to 10 MB that were made to keep a server busy or to fill its memory, by name."""

import os
import struct
from collections.abc import Callable

from PIL import Image

from .pictures import (
    SIGNATURE,
    chunk,
    empty_webp,
    header,
    heic,
    inflating,
    jpeg,
    packed,
    pdf_of,
    pdf_page,
    png,
    saved,
    segment,
    with_chunks,
    with_scans,
    with_segments,
)

FILE_BYTES = 10 * 1024 * 1024 - 300_000  # nearly all that may be uploaded
FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 600 900]"
IMAGE = b"/Type/XObject/Subtype/Image"
WHOLE_PAGE = b"595 0 0 842 0 0 cm /F0 Do"
F0 = b"/XObject<</F0 5 0 R>>"


def filled(one: bytes) -> bytes:
    """Return as many of these as a file has room for."""
    return one * (FILE_BYTES // len(one))


def noise(width: int, height: int, size: tuple[int, int] | None = None) -> Image.Image:
    """Return a picture that cannot be compressed, drawn larger where a size is given."""
    picture = Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))
    return picture.resize(size) if size else picture


def deep_png() -> bytes:
    """Return the PNG that takes longest for its pixels: 16 bits, four channels, every line by the costliest filter."""
    width, height = 7000, 4900
    lines = (b"\4" + bytes(width * 8)) * height
    picture = header(width, height, depth=16, colour=6)
    return SIGNATURE + picture + packed_chunk(lines) + chunk(b"IEND")


def packed_chunk(lines: bytes) -> bytes:
    """Return a picture's data."""
    return chunk(b"IDAT", packed(lines).partition(b"stream\n")[2].removesuffix(b"\nendstream"))


def arithmetic_jpeg() -> bytes:
    """Return a JPEG of 28 megapixels, whose fifty scans are coded arithmetically (ITU-T T.81, annex D) in ten bytes."""
    frame = segment(0xCA, bytes.fromhex("0814d014d001011100"))
    first = segment(0xCC, b"\0\x10") + segment(0xDA, bytes.fromhex("010100000000")) + bytes.fromhex("4bc6")
    scan = segment(0xCC, b"\x10\5") + segment(0xDA, bytes.fromhex("010100013f21"))
    further = (scan + bytes.fromhex("4bc6000000000002d0e8")) * 49
    tables = segment(0xDB, b"\0" + b"\xff" * 64)
    return b"\xff\xd8" + tables + frame + first + further + b"\xff\xd9"


def forms_within_forms(depth: int = 8, each: int = 30) -> bytes:
    """Return a PDF that draws a form that draws forms, each of them many times."""
    inner = [
        packed(b"/F Do " * each, FORM + b"/Resources<</XObject<</F %d 0 R>>>>" % (number + 6))
        for number in range(depth)
    ]
    return pdf_page(b"/F0 Do", *inner, packed(b"0 0 9 9 re f", FORM), resources=F0)


def picture_page(width: int, height: int, data: bytes, facts: bytes) -> bytes:
    """Return a PDF with one picture on its page."""
    size = b"/Width %d/Height %d" % (width, height)
    return pdf_page(WHOLE_PAGE, packed(data, IMAGE + size + facts), resources=F0)


def jpx_page(side: int) -> bytes:
    """Return a PDF with a JPEG 2000 of many pixels and few bytes."""
    data = saved(Image.new("RGB", (side, side), "white"), "JPEG2000", irreversible=True)
    facts = IMAGE + b"/Width %d/Height %d/Filter/JPXDecode/Length %d" % (side, side, len(data))
    return pdf_page(WHOLE_PAGE, b"<<" + facts + b">>stream\n" + data + b"\nendstream", resources=F0)


def jbig2_page(side: int) -> bytes:
    """Return a PDF with a JBIG2 page (ITU-T T.88, section 7.4.8) of many pixels and few bytes."""
    page = struct.pack(">IBBBI", 0, 48, 0, 1, 19) + struct.pack(">IIIIBH", side, side, 0, 0, 0, 0)
    region = struct.pack(">IBBBI", 1, 38, 0, 1, 28) + struct.pack(">IIIIB", side, side, 0, 0, 0)
    data = page + region + b"\0\3\xff\xfd\xff\2\xfe\xfe\xfe" + bytes(2)
    size = b"/Width %d/Height %d/Length %d" % (side, side, len(data))
    facts = IMAGE + size + b"/BitsPerComponent 1/ColorSpace/DeviceGray/Filter/JBIG2Decode"
    return pdf_page(WHOLE_PAGE, b"<<" + facts + b">>stream\n" + data + b"\nendstream", resources=F0)


def many_pages(number: int = 60_000) -> bytes:
    """Return a PDF of so many empty pages."""
    kids = b" ".join(b"%d 0 R" % (page + 3) for page in range(number))
    pages = b"<</Type/Pages/Count %d/Kids[%b]>>" % (number, kids)
    return pdf_of(b"<</Type/Catalog/Pages 2 0 R>>", pages, *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"] * number)


def tiling_page() -> bytes:
    """Return a PDF that fills its page with tiles of a hundredth of a point, again and again."""
    pattern = b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep .01/YStep .01/Resources<<>>"
    fill = b"/Pattern cs /P scn 0 0 595 842 re f\n" * 200
    return pdf_page(fill, packed(b"0 0 1 1 re f", pattern), resources=b"/Pattern<</P 5 0 R>>")


def masked_page() -> bytes:
    """Return a PDF that lays thousands of see-through layers over each other, each through a mask."""
    group = FORM + b"/Group<</S/Transparency/CS/DeviceRGB>>"
    state = b"/ExtGState<</G<</ca .5/SMask<</S/Luminosity/G 5 0 R>>>>>>"
    return pdf_page(b"/G gs /F0 Do\n" * 3000, packed(b"0 0 595 842 re f", group), resources=state + F0)


def layered_page() -> bytes:
    """Return a PDF of a kilobyte whose few layers cost for each pixel, and next to nothing on a small page."""
    group = FORM + b"/Group<</S/Transparency/I true/CS/DeviceRGB>>"
    state = b"/ExtGState<</G<</ca .5/BM/Luminosity>>>>"
    return pdf_page(b"/G gs /F0 Do\n" * 40, packed(b".5 .2 .9 rg 0 0 595 842 re f", group), resources=state + F0)


def lying_heic(claimed: int, actual: int) -> bytes:
    """Return a HEIC whose boxes tell another size than its picture has."""
    content = saved(Image.new("RGB", (actual, actual), "white"), "HEIF", quality=10, enc_params={"preset": "ultrafast"})
    size, lie = struct.pack(">II", actual, actual), struct.pack(">II", claimed, claimed)
    assert size in content
    return content.replace(size, lie)


def many_items() -> bytes:
    """Return a HEIC of nothing but boxes."""
    start = heic()[:24]
    return start + filled(struct.pack(">I", 8) + b"free")


BOMBS: dict[str, Callable[[], bytes]] = {
    "JPEG of comments": lambda: with_segments(jpeg(), filled(segment(0xFE))),
    "JPEG of 50 megapixels in 24 scans": lambda: with_scans(
        saved(Image.new("RGB", (7000, 7140), "white"), "JPEG", progressive=True), 14
    ),
    "JPEG of 44 megapixels, every sample kept": lambda: saved(
        noise(1500, 1500, (6600, 6660)), "JPEG", progressive=True, subsampling=0, quality=22
    ),
    "JPEG of 28 megapixels, coded arithmetically": arithmetic_jpeg,
    "PNG of colour profiles": lambda: with_chunks(png(), filled(inflating(b"iCCP", b"name\0\0"))),
    "PNG with a text of 200 MB": lambda: with_chunks(png(), inflating(b"zTXt", b"name\0\0", 200)),
    "PNG of 900 megapixels": lambda: SIGNATURE + header(30_000, 30_000) + inflating(b"IDAT", b"", 20) + chunk(b"IEND"),
    "PNG of 50 megapixels": lambda: saved(Image.new("RGBA", (7000, 7140)), "PNG", compress_level=1),
    "PNG of 16 bits and 34 megapixels": deep_png,
    "WebP of 34 bytes and 88 megapixels": lambda: empty_webp(9400, 9400),
    "WebP of 34 bytes and 15 megapixels": lambda: empty_webp(3850, 3890),
    "WebP of 15 megapixels of noise": lambda: saved(noise(2400, 2400, (3850, 3850)), "WEBP", quality=75, method=0),
    "WebP without loss": lambda: saved(noise(1800, 1800), "WEBP", lossless=True, method=0),
    "HEIC of 29 megapixels of noise": lambda: saved(
        noise(1900, 2000, (5300, 5400)), "HEIF", quality=35, enc_params={"preset": "ultrafast"}
    ),
    "HEIC of 29 megapixels of white": lambda: saved(
        Image.new("RGB", (5300, 5400), "white"), "HEIF", enc_params={"preset": "ultrafast"}
    ),
    "HEIC larger than it says": lambda: lying_heic(64, 8000),
    "HEIC smaller than it says": lambda: lying_heic(5400, 64),
    "HEIC of boxes": many_items,
    "PDF of endless lines": lambda: pdf_page(b"0 0 m 500 800 l S\n" * 20_000_000),
    "PDF of a gigabyte of blanks": lambda: pdf_page(b" " * 1_000_000_000),
    "PDF of forms within forms": forms_within_forms,
    "PDF of a form within itself": lambda: pdf_page(
        b"/F0 Do", packed(b"/F0 Do " * 1000, FORM + b"/Resources<<" + F0 + b">>"), resources=F0
    ),
    "PDF page of 28 km": lambda: pdf_page(b"0 0 9 9 re f", box=b"0 0 80000000 80000000"),
    "PDF of 60,000 pages": many_pages,
    "PDF with a picture of 100 megapixels": lambda: picture_page(
        10_000, 10_000, bytes(300_000_000), b"/BitsPerComponent 8/ColorSpace/DeviceRGB"
    ),
    "PDF with a JPEG 2000 of 144 megapixels": lambda: jpx_page(12_000),
    "PDF with a JBIG2 of 3,600 megapixels": lambda: jbig2_page(60_000),
    "PDF of tiny tiles": tiling_page,
    "PDF of masks": masked_page,
    "PDF of layers": layered_page,
}
