"""Pictures: decoded, upright, and on white."""

import io

from PIL import Image
from PIL.ExifTags import Base

from . import Refused

MAX_PIXELS = 60_000_000  # that a cell has the memory for, decoded and turned; a larger JPEG is halved on its way
MAX_PROFILE_BYTES = 64 * 1024

UPRIGHT = 1
TURNS = {  # what makes upright what lies so (Exif 2.32, tag Orientation); other values mean nothing
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.MAX_IMAGE_PIXELS = None  # ours is asked before a file comes here


def look(data: bytes, form: str) -> tuple[int, int]:
    """Decode a picture and return its width and height, as it is shown."""
    with _open(data, form) as picture:
        if form == "webp" and getattr(picture, "n_frames", 1) > 1:
            raise Refused("animated")
        picture.load()
        return picture.size


def draw(data: bytes, form: str) -> Image.Image:
    """Return a picture as it is to be seen: on white, and upright."""
    picture = _loaded(data, form)
    profile = picture.info.get("icc_profile", b"") if picture.mode in ("RGB", "RGBA") else b""
    orientation = orientation_of(picture)
    picture = _on_white(picture)  # first, and without keeping what was: to turn what can be seen through costs more
    upright = turned(picture, orientation)
    upright.info = {"icc_profile": profile} if 0 < len(profile) <= MAX_PROFILE_BYTES else {}
    return upright


def orientation_of(picture: Image.Image) -> int:
    """Return how the picture lies (Exif 2.32, section 4.6.4); one that does not say so, or not in order, is upright."""
    try:
        return int(picture.getexif().get(Base.Orientation, UPRIGHT))
    except Exception:  # Pillow raises whatever it likes of damaged metadata
        return UPRIGHT


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    """Return the picture upright."""
    return picture.transpose(TURNS[orientation]) if orientation in TURNS else picture


def _open(data: bytes, form: str) -> Image.Image:
    if form == "heic":
        _register_heif()
    return Image.open(io.BytesIO(data), formats=["HEIF" if form == "heic" else form.upper()])


def _register_heif() -> None:
    import pillow_heif  # 20 MB, and for HEIC only

    # one thread, so that processor time is what it seems; nothing but the picture itself is decoded.
    # libheif's own limits (1,000 items, among others) stay on: they are its default
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def _loaded(data: bytes, form: str) -> Image.Image:
    picture = _open(data, form)
    if picture.width * picture.height > MAX_PIXELS:
        picture.draft(None, (picture.width // 2, picture.height // 2))
    picture.load()
    return picture


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the picture in RGB or grey; what can be seen through shows white paper."""
    if picture.mode.startswith("I"):  # 16 bits of grey, which convert() would clip, whatever can be seen through
        return picture.convert("I").point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        seen = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        paper = Image.new("RGB", seen.size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    return picture if picture.mode in ("RGB", "L") else picture.convert("RGB")
