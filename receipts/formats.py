"""The formats that receipts come in: how each is known by its first bytes, and what it is called."""

from pathlib import PurePath

HEAD_BYTES = 64
CONTENT_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "heic": "image/heic",
    "pdf": "application/pdf",
}
FORMS = {content_type: form for form, content_type in CONTENT_TYPES.items()}
SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "application/pdf": ".pdf",
}
FURTHER_SUFFIXES = {".jpeg": ".jpg", ".heif": ".heic"}  # which name the same
SHOWN_BY_BROWSERS = frozenset({"image/jpeg", "image/png", "image/webp"})

MAGIC = (
    ("jpeg", 0, b"\xff\xd8\xff"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("webp", 8, b"WEBP"),
    ("pdf", 0, b"%PDF-"),
    ("gif", 0, b"GIF8"),
    ("tiff", 0, b"II*\x00"),
    ("tiff", 0, b"MM\x00*"),
    ("bmp", 0, b"BM"),
)
# Brands of ISO/IEC 23008-12 (HEIF); the general ones say nothing of the coding, which a further brand then names
HEIF_BRANDS = {b"avi": "avif", b"he": "heic", b"mif": "heic", b"msf": "heic"}


def name_as(content_type: str, name: str) -> str:
    """Return a file's name with a suffix of this type, in the place of one that names another type of ours.

    Args:
        content_type: one of `SUFFIXES`.
        name: without folders; "" makes it `receipt`.
    """
    given = PurePath(name).suffix
    suffix = FURTHER_SUFFIXES.get(given.lower(), given.lower())
    if suffix == SUFFIXES[content_type]:
        return name
    stem = name.removesuffix(given) if suffix in SUFFIXES.values() else name
    return (stem or "receipt") + SUFFIXES[content_type]


def find_format(head: bytes) -> str:
    """Return the name of the format that a file's first bytes are of, "" where they are of none known."""
    if head[4:8] == b"ftyp":
        return _find_brand(head)
    return next((name for name, at, magic in MAGIC if head[at:].startswith(magic)), "")


def _find_brand(head: bytes) -> str:
    length = int.from_bytes(head[:4])
    major, compatible = head[8:12], head[16 : min(length, len(head))]
    if major.startswith(b"mif") and b"avif" in compatible and b"heic" not in compatible:
        return "avif"
    return next((name for brand, name in HEIF_BRANDS.items() if major.startswith(brand)), "")
