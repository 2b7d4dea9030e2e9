"""Looks at the bytes of an upload, cheapest question first, and believes nothing that was said about them."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import floor
from typing import NamedTuple

import structlog
from django.conf import settings
from django.core.files.base import File
from PIL import Image

from accounting.api.body_limits import file_too_large
from accounting.problems import Problem, busy

from .budget import LOOK_BYTES, Crowded, looks_budget
from .cell import OWN_BYTES, Bounds, Crashed, Refused, TooMuch, TooSlow, in_cell
from .containers import Animated, read_container
from .files import CheckedUpload, digest
from .formats import CONTENT_TYPES, HEAD_BYTES, find_format
from .refusals import broken, refusal, unsupported
from .structure import Shape, read_structure

logger = structlog.get_logger(__name__)

# Ours is lower and is asked before any pixel is decoded; Pillow's would only warn, or answer with its own words.
Image.MAX_IMAGE_PIXELS = None

LOOK_NANOSECONDS = 1_200_000_000
DOCUMENT_BYTES = 160_000_000
DOCUMENT_CPU_SECONDS = 1.35  # nothing else bounds what is in a page
CELL_CPU_SECONDS = 4.5  # three times what is let through by its pixels takes: the same picture is always taken
CELL_SECONDS = 15.0  # the bound of processor time is met first, unless the machine is very busy

HERE = frozenset({"jpeg", "png"})  # libjpeg and zlib are decoded by this process itself, for speed
RAISED_BY_DECODERS = (OSError, ValueError, LookupError, SyntaxError, EOFError, struct.error, zlib.error)


class Looked(NamedTuple):
    """What a decoder says of a file."""

    width: int
    height: int
    pages: int = 1


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
            `image_too_complex`, `image_animated`, `image_broken`, `pdf_too_complex`, `pdf_encrypted`, `pdf_broken`; and
            503 `busy`.
        OSError: the storage of temporary files is full or cannot be used, or there is no room for another process.
    """
    size = _check_size(file)
    form = _find_format(file)
    try:
        looked = _inspect(file, form)
    except Crowded:
        logger.warning("looks_crowded")
        raise busy() from None
    return CheckedUpload(
        file=file,
        sha256=digest(file),
        size=size,
        content_type=CONTENT_TYPES[form],
        **looked._asdict(),
    )


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
        raise unsupported(found)
    return found


def _inspect(file: "File[bytes]", form: str) -> Looked:
    if form == "pdf":
        return _look_in_cell(
            file, form, Bounds(memory=DOCUMENT_BYTES, cpu_seconds=DOCUMENT_CPU_SECONDS, seconds=CELL_SECONDS)
        )
    with _decoder_errors_as_refusals(form):
        shape = _read_shape(file, form)
        _check_pixels(shape, form)
        if form in HERE:
            return _look_here(file, form, shape)
    memory = round(shape.pixels * shape.bytes_per_pixel)
    return _look_in_cell(file, form, Bounds(memory=memory, cpu_seconds=CELL_CPU_SECONDS, seconds=CELL_SECONDS))


@contextmanager
def _decoder_errors_as_refusals(form: str) -> Iterator[None]:
    """Answer what a decoder of this process raises: for the file's fault, for ours, and for what nobody expected."""
    try:
        yield
    except (Problem, Crowded):
        raise
    except Animated as fault:
        raise refusal(form, fault) from None
    except MemoryError:
        logger.error("look_without_memory", form=form)
        raise busy() from None
    except Exception as error:
        if not isinstance(error, RAISED_BY_DECODERS):
            logger.warning("look_failed", form=form, error=type(error).__name__)
        raise broken(form) from None


def _read_shape(file: "File[bytes]", form: str) -> Shape:
    shape = read_structure(file, form) if form in HERE else read_container(file, form)
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


def _look_here(file: "File[bytes]", form: str, shape: Shape) -> Looked:
    with looks_budget.draw(shape.pixels * shape.bytes_per_pixel):
        with _open(file, form) as image:
            if image.size != (shape.width, shape.height):
                raise ValueError("two sizes")
            _check_frames(image, form)
        _decode(file, form)
    return Looked(shape.width, shape.height)


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


def _look_in_cell(file: "File[bytes]", form: str, bounds: Bounds) -> Looked:
    """Look in a cell; an OSError, such as a full disk, is this machine's own and no fault of the file's: it goes on."""
    with_file = replace(bounds, memory=bounds.memory + 2 * file.size)
    try:
        with looks_budget.draw(OWN_BYTES + bounds.memory), in_cell("look", file, with_file, form=form) as (found, _):
            return Looked(**found)
    except TooSlow:
        logger.warning("look_too_slow", form=form)
        raise busy() from None
    except (Refused, TooMuch, Crashed) as fault:
        if isinstance(fault, Crashed):
            logger.warning("decoder_crashed", form=form, returncode=fault.args[0])
        raise refusal(form, fault) from None
