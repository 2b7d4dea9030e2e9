"""Looks at the bytes of an upload, cheapest question first, and believes nothing that was said about them."""

import hashlib
import threading
from dataclasses import dataclass

from django.conf import settings
from django.core.files.base import File
from PIL import Image

from accounting.problems import Problem

from .structure import check_structure

MAGIC = (
    ("jpeg", 0, b"\xff\xd8\xff"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("heic", 4, b"ftyphe"),
    ("heif", 4, b"ftypmi"),
    ("avif", 4, b"ftypavi"),
    ("webp", 8, b"WEBP"),
    ("pdf", 0, b"%PDF-"),
    ("gif", 0, b"GIF8"),
    ("tiff", 0, b"II*\x00"),
    ("tiff", 0, b"MM\x00*"),
    ("bmp", 0, b"BM"),
)
CONTENT_TYPES = {"jpeg": "image/jpeg", "png": "image/png"}
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png"}

# Ours is lower and is asked before any pixel is decoded; Pillow's would only warn, or answer with its own words.
Image.MAX_IMAGE_PIXELS = None

# Decoding is what costs memory: so many at once, the others wait.
_decoding = threading.BoundedSemaphore(2)


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

    The order is: size, magic bytes, number of parts, header (by that one decoder), pixels, frames, checksums, pixels
    decoded.

    Args:
        file: the uploaded file, open at any position.

    Returns:
        The facts found in the bytes.

    Raises:
        Problem: 413 `file_too_large`, 400 `file_empty`, 415 `unsupported_file_type`, or 400 `image_too_many_pixels`,
            `image_animated`, `image_broken`.
    """
    size = _check_size(file)
    form = _find_format(file)
    width, height = _inspect(file, form)
    return CheckedUpload(
        file=file,
        sha256=_digest(file),
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
    head = file.read(16)
    found = next((name for name, at, magic in MAGIC if head[at:].startswith(magic)), None)
    if found in settings.UPLOAD_FORMATS:
        return found
    accepted = " or ".join(name.upper() for name in settings.UPLOAD_FORMATS)
    what = f"This is a {found.upper()} file" if found else "The file's bytes are of no known image type"
    raise Problem(415, "unsupported_file_type", f"{what}; send {accepted}.")


def _inspect(file: "File[bytes]", form: str) -> tuple[int, int]:
    try:
        check_structure(_read(file), form)
        with _open(file, form) as image:
            size = image.size
            _check_pixels(*size)
            _check_frames(image, form)
        with _decoding:
            _decode(file, form)
    except Problem:
        raise
    except Exception:  # Pillow raises whatever its decoders do: OSError, ValueError, SyntaxError, struct.error, …
        raise Problem(400, "image_broken", "The image is damaged or cut short; take or export it again.") from None
    return size


def _read(file: "File[bytes]") -> bytes:
    file.seek(0)
    data: bytes = file.read(file.size)
    return data


def _open(file: "File[bytes]", form: str) -> Image.Image:
    file.seek(0)
    return Image.open(file, formats=[form.upper()])


def _check_pixels(width: int, height: int) -> None:
    if width * height > settings.UPLOAD_MAX_MEGAPIXELS * 1_000_000:
        limit = settings.UPLOAD_MAX_MEGAPIXELS
        raise Problem(
            400, "image_too_many_pixels", f"The image is {width} by {height} pixels; at most {limit} megapixels fit."
        )


def _check_frames(image: Image.Image, form: str) -> None:
    # A phone's JPEG may carry a preview or a gain map as further pictures (MPO); the first is the photograph.
    if form != "jpeg" and getattr(image, "n_frames", 1) > 1:
        raise Problem(400, "image_animated", "The image is an animation; send a single picture.")


def _decode(file: "File[bytes]", form: str) -> None:
    if form == "png":
        with _open(file, form) as image:
            image.verify()  # the checksum of every chunk
    with _open(file, form) as image:
        if form == "jpeg":
            image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))  # an eighth of the work
        image.load()


def _digest(file: "File[bytes]") -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()
