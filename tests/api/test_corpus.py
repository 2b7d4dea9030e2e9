"""The corpus against the shipped server: every row gets its one answer, and nothing but what was taken is left."""

import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from subprocess import Popen
from uuid import UUID

import psutil
import pytest

from tests.corpus.callbacks import callbacks
from tests.corpus.files import uploads_of_files
from tests.corpus.forms import uploads_of_forms
from tests.corpus.framing import framing
from tests.corpus.heavy import bodies_over_the_limit, files_of_ten_megabytes
from tests.corpus.other_formats import uploads_of_other_formats
from tests.corpus.requests import uploads_of_requests
from tests.corpus.wire import Answer, Row, Site, send
from tests.support.installation import Installation

pytestmark = pytest.mark.processes

MEMORY_KIB = 400 * 1024
ROW_SECONDS = 5.0  # of a processor, for any row, from the first byte sent to the last one read
FILE_SECONDS = 1.5  # for any file of 10 MB
FAULTS = re.compile(
    "uncaptured python exception|Exception while serving|Exception when servicing|Internal Server Error"
)


class Target:
    """An installation to send rows to: its web process alone, so that jobs stay as they are."""

    def __init__(self, installation: Installation, web: "Popen[bytes]") -> None:
        self.installation = installation
        self.web = web
        first, second = (UUID(installation.upload(number).json()["job_id"]) for number in (1, 2))
        self.site = Site(installation.port, installation.key, open_job=first, ended_job=second)
        self._addresses = count(256)

    def send(self, rows: list[Row], within: float) -> list[str]:
        """Send each row; return what was answered otherwise than expected, or took the web more processor time."""
        wrong = []
        for row in rows:
            before = self._processor_seconds()
            outcome = self._send(row).outcome
            seconds = self._processor_seconds() - before
            if outcome != row.expected or seconds > within:
                wrong.append(f"{row.name}: {outcome} after {seconds:.1f} s of a processor, not {row.expected}")
        return wrong

    def _processor_seconds(self) -> float:
        """Return what the web process and its cells have had so far, however busy the machine is with others."""
        times = psutil.Process(self.web.pid).cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)

    def _send(self, row: Row) -> Answer:
        """Send a row from an address of its own, so that none is refused for what others did."""
        number = next(self._addresses)
        return send(row, self.site.port, f"127.0.{number // 256}.{number % 256}")

    def rows_in_database(self) -> list[int]:
        """Return how many jobs and receipts there are."""
        queries = ("SELECT count(*) FROM jobs_joblog", "SELECT count(*) FROM receipts_receipt")
        return [int(self.installation.query(query)[0][0]) for query in queries]

    def is_untouched(self, job: UUID) -> bool:
        """Tell whether a job is as its upload left it."""
        facts = self.installation.job(str(job))
        return (facts["status"], facts["attempts"], facts["completed_at"]) == ("queued", 0, None)

    def files(self) -> int:
        """Return how many files there are in the storage, with those that are half written."""
        return sum(path.is_file() for path in (self.installation.folder / "media").rglob("*"))

    def temporary_files(self) -> list[Path]:
        """Return what the web process has left in its folder for temporary files."""
        return list((self.installation.folder / "temporary").iterdir())

    def peak_memory_kib(self) -> int:
        """Return the most that the web process ever had in memory, or 0 where the system does not tell (no /proc)."""
        status = Path(f"/proc/{self.web.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Return an installation that takes JPEG and PNG."""
    yield from _target(tmp_path_factory.mktemp("corpus"), "jpeg,png")


@pytest.fixture
def target_of_all_formats(tmp_path: Path) -> Iterator[Target]:
    """Return an installation that takes everything that there is a reader for."""
    yield from _target(tmp_path, "jpeg,png,webp,heic,pdf")


def _target(folder: Path, formats: str) -> Iterator[Target]:
    temporary = folder / "temporary"
    temporary.mkdir()
    settings = {"UPLOAD_FORMATS": formats, "TMPDIR": str(temporary)}
    with Installation(folder, "http://127.0.0.1:9/webhook", **settings) as installation:
        yield Target(installation, installation.start_web())


BYTES_ONLY = pytest.mark.any_database  # whether these rows are taken is told from their bytes, whatever the database
# to make the files alone takes ten seconds of a processor
HEAVY = [pytest.mark.faults, pytest.mark.timeout(600), BYTES_ONLY]


@pytest.mark.parametrize(
    ("table", "at_least", "within"),
    [
        pytest.param(uploads_of_files, 80, ROW_SECONDS, marks=BYTES_ONLY),
        (uploads_of_forms, 90, ROW_SECONDS),
        (uploads_of_requests, 130, ROW_SECONDS),
        (callbacks, 160, ROW_SECONDS),
        pytest.param(framing, 160, ROW_SECONDS, marks=BYTES_ONLY),
        pytest.param(bodies_over_the_limit, 15, ROW_SECONDS, marks=HEAVY),
        pytest.param(files_of_ten_megabytes, 20, FILE_SECONDS, marks=HEAVY),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_row_gets_its_one_answer_and_leaves_what_was_taken_only(
    table: Callable[[Site], list[Row]], at_least: int, within: float, target: Target
) -> None:
    rows, before, files = table(target.site), target.rows_in_database(), target.files()
    assert len(rows) >= at_least
    assert len({row.name for row in rows}) == len(rows)

    wrong = target.send(rows, within)
    assert not wrong, "\n".join(wrong)

    taken = sum(row.expected == "202" for row in rows)
    assert target.rows_in_database() == [number + taken for number in before]
    assert target.files() == files + taken
    assert target.temporary_files() == []
    assert target.is_untouched(target.site.open_job)
    assert target.peak_memory_kib() < MEMORY_KIB
    assert target.web.poll() is None
    assert not FAULTS.findall(target.installation.log())


@BYTES_ONLY
def test_each_row_of_the_other_formats_does_so_too(target_of_all_formats: Target) -> None:
    test_each_row_gets_its_one_answer_and_leaves_what_was_taken_only(
        uploads_of_other_formats, 25, ROW_SECONDS, target_of_all_formats
    )
