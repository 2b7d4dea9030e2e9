"""`make bench`: how long looking at an upload and preparing it take, and how much memory, at the worst.

Each figure comes from a fresh process. Seconds are of processor time, of the process and its cell together: those on
the clock, where the machine does nothing else. Memory is the most that the process had beyond what it is anyway, and
the most that its cell had.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.support.servers import SETTINGS

from .installations import ROOT

MAX_SECONDS = 1.5
MAX_MEGABYTES = 400
ENVIRONMENT = SETTINGS | {"DJANGO_SETTINGS_MODULE": "accounting.settings", "DATABASE_URL": "sqlite://:memory:"}
PAIRS = [
    ("JPEG of 44 megapixels, every sample kept",) * 2,
    ("HEIC of 29 megapixels of noise", "WebP of 15 megapixels of noise"),
    ("PNG of 50 megapixels", "PDF with a picture of 100 megapixels"),
]
HEADER = ("", "file", "looking", "", "", "preparing", "", "")
UNITS = ("", "MB", "answer", "s", "MB", "answer", "s", "MB")


class Measured(NamedTuple):
    """What one task came to."""

    answer: str
    seconds: float
    extra: int
    whole: int


def main() -> int:
    """Print the table; 1 where a look is over the bounds."""
    print(row(HEADER), row(UNITS), "|" + "---|" * len(UNITS), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        looks = [bench(name, make, Path(folder)) for name, make in (typical() | bombs()).items()]
        looks += [bench_together(names, Path(folder)) for names in PAIRS]
    seconds, megabytes = max(look.seconds for look in looks), max(look.whole for look in looks)
    print(f"\nAt the most {seconds:.2f} s and {megabytes} MB, the web process itself included.")
    return seconds > MAX_SECONDS or megabytes > MAX_MEGABYTES


def bench(name: str, make: Callable[[], bytes], folder: Path) -> Measured:
    """Measure one file and print its row."""
    file = folder / name
    file.write_bytes(make())
    look = measure("look", file)
    taken = look.answer.startswith(("image/", "application/"))
    prepared = measure("prepare", file) if taken else None
    more = (prepared.answer, f"{prepared.seconds:.2f}", str(prepared.extra)) if prepared else ("–", "", "")
    size = f"{file.stat().st_size / 1e6:.1f}"
    print(row((name, size, look.answer, f"{look.seconds:.2f}", str(look.extra), *more)), flush=True)
    return look


def bench_together(names: tuple[str, ...], folder: Path) -> Measured:
    """Measure two files that are looked at at once; only their memory counts."""
    look = measure("look", *(folder / name for name in names))
    print(row((" + ".join(names), "", look.answer, "", str(look.extra), "", "", "")), flush=True)
    return look._replace(seconds=0.0)


def row(cells: tuple[str, ...]) -> str:
    """Return a line of the table."""
    return "| " + " | ".join(cells) + " |"


def measure(task: str, *files: Path) -> Measured:
    """Do the task in a fresh process, and watch its cells from outside."""
    command = [sys.executable, "-m", "benchmarks.one", task, *map(str, files)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, text=True) as run:
        cells = watch_cells(psutil.Process(run.pid))
        printed = run.communicate()[0]
    answer, seconds, extra, whole = printed.split("\t")
    return Measured(answer, float(seconds), int(extra) + cells, int(whole) + cells)


def watch_cells(process: psutil.Process) -> int:
    """Return the megabytes that the cells of a process have at the most, all of one moment together."""
    most = 0
    try:
        while process.status() != psutil.STATUS_ZOMBIE:
            most = max(most, sum(high_water(child.pid) for child in process.children()))
            time.sleep(0.003)
    except psutil.NoSuchProcess:
        pass
    return most


def high_water(pid: int) -> int:
    """Return the most memory that a process has had since its program began, in MB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return 0
    if b"receipts.cell" not in command:
        return 0  # not yet: still the parent's own memory
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024 if "VmHWM:" in status else 0


def typical() -> dict[str, Callable[[], bytes]]:
    """Return what people send: a phone's photograph of 12 megapixels in each format, and a scan of five pages."""
    from tests.support.pictures import drawn, saved

    photo = drawn(1, size=(3000, 4000))
    pages = [drawn(number, size=(1654, 2339)) for number in range(2, 6)]
    scan = drawn(1, size=(1654, 2339))
    return {
        "JPEG, 12 megapixels": lambda: saved(photo, "JPEG", quality=85),
        "JPEG, progressive": lambda: saved(photo, "JPEG", quality=85, progressive=True),
        "PNG, 12 megapixels": lambda: saved(photo.quantize(64), "PNG"),
        "WebP, 12 megapixels": lambda: saved(photo, "WEBP", quality=80),
        "HEIC, 12 megapixels": lambda: saved(photo, "HEIF", quality=60, tile_size=512),
        "HEIC, 24 megapixels": lambda: saved(photo.resize((4284, 5712)), "HEIF", quality=60, tile_size=512),
        "PDF, five scanned pages": lambda: saved(
            scan, "PDF", save_all=True, append_images=pages, resolution=200, quality=80
        ),
    }  # fmt: skip


def bombs() -> dict[str, Callable[[], bytes]]:
    """Return the files that were made to do harm."""
    from tests.support.bombs import BOMBS

    return BOMBS


if __name__ == "__main__":
    os.environ |= ENVIRONMENT
    import django

    django.setup()
    sys.exit(main())
