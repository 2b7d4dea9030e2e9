"""Looks at the bytes of an upload, cheapest question first, and believes nothing that was said about them."""

import hashlib
from dataclasses import dataclass
from math import floor

from django.conf import settings
from django.core.files.base import File
from PIL import Image

from accounting.problems import Problem

from .budget import MemoryBudget
from .cell import OWN_BYTES, Bounds, Crashed, Refused, TooMuch, TooSlow, in_cell
from .containers import Animated, read_container
from .formats import CONTENT_TYPES, HEAD_BYTES, find_format, unsupported
from .structure import Shape, read_structure

# Ours is lower and is asked before any pixel is decoded; Pillow's would only warn, or answer with its own words.
Image.MAX_IMAGE_PIXELS = None

LOOK_BYTES = 280_000_000  # for all looks together: with what the web process is anyway it stays below 400 MB
LOOK_NANOSECONDS = 1_200_000_000
DOCUMENT_BYTES = 160_000_000
CELL_CPU_SECONDS = 1.35
CELL_SECONDS = 15.0  # the bound of processor time is met first, unless the machine is very busy

HERE = frozenset({"jpeg", "png"})  # libjpeg and zlib are decoded by this process itself, for speed

looks_budget = MemoryBudget(LOOK_BYTES)


@dataclass(frozen=True, kw_only=True)
class CheckedUpload:
    """An upload whose bytes were looked at, and what was found in them."""

    file: "File[bytes]"
    sha256: str
    size: int
    content_type: str
    width: int
    height: int


def check_upload(file: "File[bytes]") -> CheckedUpload:
    """Look at an upload and say what it is.

    The order is: size, magic bytes, number of parts, header, pixels, frames, checksums, pixels decoded. A JPEG or PNG
    is decoded here, everything else in a cell.

    Args:
        file: the uploaded file, open at any position.

    Returns:
        The facts found in the bytes.

    Raises:
        Problem: 413 `file_too_large`, 400 `file_empty`, 415 `unsupported_file_type`, or 400 `image_too_many_pixels`,
            `image_too_complex`, `image_animated`, `image_broken`, `pdf_too_complex`, `pdf_encrypted`, `pdf_broken`.
    """
    size = _check_size(file)
    form = _find_format(file)
    width, height = _inspect(file, form)
    return CheckedUpload(
        file=file,
        sha256=digest(file),
        size=size,
        content_type=CONTENT_TYPES[form],
        width=width,
        height=height,
    )


def file_too_large() -> Problem:
    """Return the answer to a file over the limit."""
    return Problem(413, "file_too_large", f"The file is larger than {settings.UPLOAD_MAX_MB} MB.")


def _check_size(file: "File[bytes]") -> int:
    size = file.size
    if size == 0:
        raise Problem(400, "file_empty", "The file is empty.")
    if size > settings.UPLOAD_MAX_BYTES:
        raise file_too_large()
    return size


def _find_format(file: "File[bytes]") -> str:
    file.seek(0)
    found = find_format(file.read(HEAD_BYTES))
    if found not in settings.UPLOAD_FORMATS:
        raise unsupported(found, settings.UPLOAD_FORMATS)
    return found


def _inspect(file: "File[bytes]", form: str) -> tuple[int, int]:
    try:
        if form == "pdf":
            return _look_in_cell(file, form, DOCUMENT_BYTES)
        shape = _read_shape(file, form)
        _check_pixels(shape, form)
        if form in HERE:
            return _look_here(file, form, shape)
        return _look_in_cell(file, form, round(shape.pixels * shape.bytes_per_pixel))
    except Problem:
        raise
    except (Animated, Refused, TooMuch, TooSlow) as fault:
        raise _refusal(form, fault) from None
    except Exception:  # Pillow raises whatever its decoders do: OSError, ValueError, SyntaxError, struct.error, …
        raise _refusal(form, Crashed()) from None


def _read_shape(file: "File[bytes]", form: str) -> Shape:
    with looks_budget.draw(file.size):
        file.seek(0)
        data: bytes = file.read(file.size)
        shape = read_structure(data, form) if form in HERE else read_container(data, form)
    if shape.pixels == 0:
        raise ValueError("no extent")
    return shape


def _check_pixels(shape: Shape, form: str) -> None:
    most = _most_pixels(shape, form)
    if shape.pixels > most:
        size = f"{shape.width} by {shape.height} pixels"
        fits = f"{floor(most / 100_000) / 10:g} megapixels"
        raise Problem(400, "image_too_many_pixels", f"The image is {size}; at most {fits} fit.")


def _most_pixels(shape: Shape, form: str) -> float:
    """Return what the setting allows, or what there is memory and time for where pixels are costly."""
    room = LOOK_BYTES if form in HERE else LOOK_BYTES - OWN_BYTES
    return min(
        settings.UPLOAD_MAX_MEGAPIXELS * 1_000_000,
        room / shape.bytes_per_pixel,
        LOOK_NANOSECONDS / shape.nanoseconds_per_pixel,
    )


# -- here --------------------------------------------------------------------------------------------------------------


def _look_here(file: "File[bytes]", form: str, shape: Shape) -> tuple[int, int]:
    with looks_budget.draw(shape.pixels * shape.bytes_per_pixel):
        with _open(file, form) as image:
            size = image.size
            if size != (shape.width, shape.height):
                raise ValueError("two sizes")
            _check_frames(image, form)
        _decode(file, form)
    return size


def _open(file: "File[bytes]", form: str) -> Image.Image:
    file.seek(0)
    return Image.open(file, formats=[form.upper()])


def _check_frames(image: Image.Image, form: str) -> None:
    # A phone's JPEG may carry a preview or a gain map as further pictures (MPO); the first is the photograph.
    if form != "jpeg" and getattr(image, "n_frames", 1) > 1:
        raise Animated


def _decode(file: "File[bytes]", form: str) -> None:
    if form == "png":
        with _open(file, form) as image:
            image.verify()  # the checksum of every chunk
    with _open(file, form) as image:
        if form == "jpeg":
            image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))  # an eighth of the work
        image.load()


# -- in a cell ---------------------------------------------------------------------------------------------------------


def _look_in_cell(file: "File[bytes]", form: str, memory: int) -> tuple[int, int]:
    bounds = Bounds(memory=memory + 2 * file.size, cpu_seconds=CELL_CPU_SECONDS, seconds=CELL_SECONDS)
    with looks_budget.draw(OWN_BYTES + memory), in_cell("look", file, bounds, form=form) as (found, _):
        return found["width"], found["height"]


def _refusal(form: str, fault: Exception) -> Problem:
    """Return the answer to a file that was looked at in vain."""
    kind, what = ("pdf", "PDF") if form == "pdf" else ("image", "image")
    match fault:
        case TooMuch() | TooSlow():
            return Problem(400, f"{kind}_too_complex", f"The {what} takes too much memory or time; send a simpler one.")
        case Animated() | Refused(args=["animated"]):
            return Problem(400, "image_animated", "The image is an animation; send a single picture.")
        case Refused(args=["encrypted"]):
            return Problem(400, "pdf_encrypted", "The PDF is locked with a password; send it without.")
    return Problem(400, f"{kind}_broken", f"The {what} is damaged or cut short; take or export it again.")


def digest(file: "File[bytes]") -> str:
    """Return the SHA-256 of all of a file, in hex."""
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()
