"""Damages pictures at random and looks at them: nothing but a clear answer may come of it.

`python -m tests.support.fuzz --images 100000 --seed 1` does it for long; `test_fuzz.py` for a while. Each image has a
seed of its own, which a failure names: `--images 1 --seed N` does that one again. What needs Django is imported late,
since the command has to set it up first.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache

from django.core.files.base import ContentFile

SIZE = (60, 90)
SECONDS_EACH = 10.0  # a look that takes longer hangs; the bound on processor time is far below
RENDERED = 10  # one in so many that were accepted is rendered
WITH_CELL = 0.03  # the share of images for which a process has to be started
CODES = {
    "image_broken", "image_animated", "image_too_many_pixels", "image_too_complex",
    "pdf_broken", "pdf_encrypted", "pdf_too_complex", "unsupported_file_type", "file_empty",
}  # fmt: skip

Change = Callable[[bytearray, random.Random, bytes], None]


class Fault(Exception):
    """Something else than a clear answer came of it."""


@cache
def seeds() -> dict[str, list[bytes]]:
    """Return whole files of each format."""
    from PIL import Image

    from .pictures import drawn, pdf_page, saved

    photo = drawn(1, size=SIZE)
    exif = Image.Exif()
    exif[0x0112] = 6
    here = [
        saved(photo, "JPEG"),
        saved(photo, "JPEG", progressive=True, comment=b"till"),
        saved(photo.convert("CMYK"), "JPEG", exif=exif),
        saved(photo, "MPO", save_all=True, append_images=[photo.reduce(2)]),
        saved(photo, "PNG", dpi=(300, 300)),
        saved(photo.convert("P"), "PNG"),
        saved(photo.convert("L"), "PNG", save_all=True, append_images=[drawn(2, "L", SIZE)]),
    ]
    in_cell = [
        saved(photo, "WEBP"),
        saved(photo.convert("RGBA"), "WEBP", lossless=True, exif=exif),
        saved(photo, "WEBP", save_all=True, append_images=[drawn(2, size=SIZE)]),
        saved(photo, "HEIF", quality=60),
        saved(photo, "HEIF", quality=60, tile_size=32, exif=exif.tobytes()),
        saved(photo, "PDF", save_all=True, append_images=[photo]),
        pdf_page(b"BT /F 20 Tf 20 20 Td (Total 12.50) Tj ET 0 0 m 90 90 l S"),
    ]
    return {"here": here, "in_cell": in_cell}


def mutated(seed: int) -> bytes:
    """Return the damaged file of this seed: the same for the same seed."""
    chance = random.Random(seed)
    kinds = seeds()
    files = kinds["in_cell" if chance.random() < WITH_CELL else "here"]
    damaged = bytearray(chance.choice(files))
    other = chance.choice(kinds["here"] + kinds["in_cell"])
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        chance.choice(CHANGES)(damaged, chance, other)
    return bytes(damaged)


def _place(data: bytearray, chance: random.Random) -> int:
    """Return a place in the file, mostly near its start, where its structure is."""
    return chance.randrange(min(chance.choice((64, 700, 10**9)), len(data)) or 1)


def _flip(data: bytearray, chance: random.Random, _: bytes) -> None:
    at = _place(data, chance)
    data[at : at + 1] = bytes([(data[at] if data else 0) ^ 1 << chance.randrange(8)])


def _overwrite(data: bytearray, chance: random.Random, _: bytes) -> None:
    at, piece = _place(data, chance), chance.randbytes(chance.choice((1, 2, 4, 40)))
    data[at : at + len(piece)] = piece


def _cut(data: bytearray, chance: random.Random, _: bytes) -> None:
    del data[_place(data, chance) :]


def _remove(data: bytearray, chance: random.Random, _: bytes) -> None:
    at = _place(data, chance)
    del data[at : at + chance.choice((1, 8, 300))]


def _repeat(data: bytearray, chance: random.Random, _: bytes) -> None:
    at = _place(data, chance)
    data[at:at] = data[at : at + chance.choice((4, 12, 300))] * chance.choice((1, 3, 50))


def _splice(data: bytearray, chance: random.Random, other: bytes) -> None:
    at = _place(data, chance)
    data[at:] = other[min(at, len(other)) :]


def _swap_head(data: bytearray, chance: random.Random, other: bytes) -> None:
    length = chance.choice((4, 12, 16, 64))
    data[:length] = other[:length]


def _lie_of_length(data: bytearray, chance: random.Random, _: bytes) -> None:
    at, size = _place(data, chance), chance.choice((2, 4, 8))
    value = chance.choice((0, 1, 2, len(data), 2**15, 2**31 - 1, 2**32 - 1, 2**63 - 1)) % 2 ** (8 * size)
    data[at : at + size] = value.to_bytes(size, chance.choice(("big", "little")))


CHANGES: tuple[Change, ...] = (
    _flip, _flip, _overwrite, _cut, _remove, _repeat, _splice, _swap_head, _lie_of_length
)  # fmt: skip


def try_one(seed: int) -> str:
    """Look at the damaged file of this seed, and render it where it is accepted and its turn.

    Returns:
        What was answered.

    Raises:
        Fault: something else than a clear answer came of it.
    """
    from accounting.problems import Problem
    from receipts.validators import check_upload

    content = mutated(seed)
    started = time.monotonic()
    try:
        answer = check_upload(ContentFile(content, name="receipt")).content_type
    except Problem as problem:
        answer = problem.code
    except Exception as error:
        raise Fault(f"seed {seed}: {error!r}") from error
    if time.monotonic() - started > SECONDS_EACH:
        raise Fault(f"seed {seed}: it took {time.monotonic() - started:.0f} s")
    if "/" in answer and seed % RENDERED == 0:
        _render(seed, content, answer)
    elif "/" not in answer and answer not in CODES:
        raise Fault(f"seed {seed}: {answer}")
    return answer


def _render(seed: int, content: bytes, content_type: str) -> None:
    from receipts.models import Receipt
    from receipts.rendering import rendered

    receipt = Receipt(content_type=content_type, size=len(content))
    try:
        with rendered(receipt, ContentFile(content), most_bytes=10**6, seconds=20.0) as picture:
            if not picture.file.size:
                raise Fault(f"seed {seed}: nothing was made of it")
    except Exception as error:
        raise Fault(f"seed {seed}: accepted as {content_type}, and not to be rendered: {error!r}") from error


def main() -> None:
    """Try as many as asked for, and count the answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first; the others follow it")
    asked = parser.parse_args()
    answers: Counter[str] = Counter()
    for number in range(asked.images):
        answers[try_one(asked.seed + number)] += 1
        if sys.stderr.isatty() or number % 1000 == 999:
            done = (number + 1) * 40 // asked.images
            sys.stderr.write(f"\r[{'#' * done:40}] {number + 1} of {asked.images}")
    sys.stderr.write("\n")
    for answer, count in answers.most_common():
        sys.stdout.write(f"{count:8} {answer}\n")


if __name__ == "__main__":
    import os
    import warnings

    import django

    from .servers import SETTINGS

    os.environ |= SETTINGS | {"DJANGO_SETTINGS_MODULE": "accounting.settings", "DATABASE_URL": "sqlite://:memory:"}
    warnings.simplefilter("ignore")  # what Pillow thinks of damaged metadata
    django.setup()
    main()
