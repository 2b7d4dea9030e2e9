"""What Pillow thinks of a picture's metadata is nobody's news: a sender could fill the log with it."""

import os
import struct
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.support.pictures import saved, segment, with_segments
from tests.support.servers import SETTINGS

TAGS = 5000  # of a size that Pillow warns of, each
# in a process with our logs, whose warnings pytest does not take; and as often as some library forgets what was said
LOOK_TWICE = """
import sys, warnings
import django
from django.core.files.base import File
django.setup()
from receipts.validators import check_upload
for _ in range(2):
    with warnings.catch_warnings():
        pass
    with open(sys.argv[1], "rb") as file:
        print(check_upload(File(file)).content_type)
"""


def with_damaged_exif() -> bytes:
    """Return a JPEG whose Exif has nothing but tags of two gigabytes, in segments of 60,000 bytes."""
    tags = b"".join(struct.pack("<HHLL", number, 7, 2**31, 0) for number in range(TAGS))
    exif = b"II*\0" + struct.pack("<LH", 8, TAGS) + tags + bytes(4)
    pieces = (exif[at : at + 60_000] for at in range(0, len(exif), 60_000))
    picture = saved(Image.new("L", (600, 800)), "JPEG")
    return with_segments(picture, b"".join(segment(0xE1, b"Exif\0\0" + piece) for piece in pieces))


def test_damaged_metadata_writes_nothing_to_the_log(tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(with_damaged_exif())
    looked = subprocess.run(
        [sys.executable, "-c", LOOK_TWICE, picture],
        env=os.environ | SETTINGS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (looked.stdout, looked.stderr) == ("image/jpeg\n" * 2, "")
