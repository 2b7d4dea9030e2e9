"""Pictures: decoded, upright, and on white."""

import io

from PIL import Image, ImageOps

from .refusal import Refusal

MOST_PIXELS = 25_000_000  # of a picture that is made: a sheet of A3 at 300 dpi has 17 million
MOST_PROFILE_BYTES = 64 * 1024

Image.MAX_IMAGE_PIXELS = None  # ours is asked before a file comes here


def look(data: bytes, form: str) -> tuple[int, int]:
    """Decode a picture and return its width and height, as it is shown."""
    with _open(data, form) as picture:
        if form == "webp" and getattr(picture, "n_frames", 1) > 1:
            raise Refusal("animated")
        picture.load()
        return picture.size


def draw(data: bytes, form: str) -> Image.Image:
    """Return a picture as it is to be seen: upright, on white, and not larger than anybody can use."""
    picture = _load_reduced(_open(data, form))
    profile = picture.info.get("icc_profile", b"") if picture.mode in ("RGB", "RGBA") else b""
    upright = ImageOps.exif_transpose(picture)
    picture.close()
    flat = _on_white(upright)
    flat.thumbnail(_most_size(flat.size), Image.Resampling.LANCZOS)
    flat.info = {"icc_profile": profile} if 0 < len(profile) <= MOST_PROFILE_BYTES else {}
    return flat


def _open(data: bytes, form: str) -> Image.Image:
    if form == "heic":
        _register_heif()
    name = {"heic": "HEIF"}.get(form, form.upper())
    return Image.open(io.BytesIO(data), formats=[name])


def _register_heif() -> None:
    import pillow_heif  # 20 MB, and for HEIC only

    # one thread, so that processor time is what it seems; nothing but the picture itself is decoded.
    # libheif's own limits (1,000 items, among others) stay on: they are its default
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def _load_reduced(picture: Image.Image) -> Image.Image:
    """Decode, and halve what is too large: a JPEG while it is decoded, others as soon as they are."""
    if _is_large(picture):
        picture.draft(None, (picture.width // 2, picture.height // 2))
    picture.load()
    return picture.reduce(2) if _is_large(picture) and picture.mode in ("L", "LA", "RGB", "RGBA") else picture


def _is_large(picture: Image.Image) -> bool:
    return picture.width * picture.height > MOST_PIXELS


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the picture in RGB or grey; what can be seen through shows white paper."""
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        paper = Image.new("RGB", seen.size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    if picture.mode.startswith("I"):  # 16 bits of grey, which convert() would clip
        return picture.convert("I").point(lambda value: value / 256).convert("L")
    return picture if picture.mode in ("RGB", "L") else picture.convert("RGB")


def _most_size(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    shrink = min(1.0, (MOST_PIXELS / (width * height)) ** 0.5)
    return max(1, int(width * shrink)), max(1, int(height * shrink))
