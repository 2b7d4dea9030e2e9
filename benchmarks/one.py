"""One measurement, in a process of its own: `python -m benchmarks.one look|prepare FILE...`."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import django
from django.core.files.base import File

django.setup()

from PIL import Image  # noqa: E402 - Django comes first

from accounting.problems import Problem  # noqa: E402
from receipts.formats import CONTENT_TYPES, HEAD_BYTES, find_format  # noqa: E402
from receipts.models import Receipt  # noqa: E402
from receipts.rendering import NotMade, Unreadable, rendered  # noqa: E402
from receipts.validators import check_upload  # noqa: E402

MAX_BYTES = 12_000_000  # what N8N takes unless set otherwise
SECONDS = 20.0


def look(path: Path) -> str:
    """Look at a file as at an upload."""
    with path.open("rb") as file:
        try:
            return check_upload(File(file)).content_type
        except Problem as problem:
            return problem.code


def prepare(path: Path) -> str:
    """Make of it what would be sent, had it to be made."""
    with path.open("rb") as file:
        form = find_format(file.read(HEAD_BYTES))
        receipt = Receipt(content_type=CONTENT_TYPES[form], size=path.stat().st_size)
        try:
            with rendered(receipt, File(file), most_bytes=MAX_BYTES, seconds=SECONDS) as picture:
                return f"{picture.width} × {picture.height}, {picture.file.size / 1e6:.1f} MB"
        except (NotMade, Unreadable) as fault:
            return type(fault).__name__


def together(task: Callable[[Path], str], files: list[Path]) -> str:
    """Do it to all of them at once."""
    answers: dict[Path, str] = {}
    threads = [threading.Thread(target=lambda file=file: answers.update({file: task(file)})) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ", ".join(sorted(set(answers.values())))


def megabytes() -> int:
    """Return the most that this process has had."""
    status = Path("/proc/self/status").read_text()  # getrusage would count what the benchmark itself had at the fork
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def processor_seconds() -> float:
    """Return the processor time of this process and of its cells."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Do one task and print its answer, seconds, and megabytes."""
    task = {"look": look, "prepare": prepare}[sys.argv[1]]
    files = [Path(name) for name in sys.argv[2:]]
    Image.preinit()
    before, started = megabytes(), processor_seconds()
    answer = task(files[0]) if len(files) == 1 else together(task, files)
    print(answer, f"{processor_seconds() - started:.3f}", megabytes() - before, megabytes(), sep="\t")


main()
