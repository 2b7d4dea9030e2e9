"""The client from its options to its exit code."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from accounting.terminal.progress import bar

from .files import digest, find_files, move
from .options import Options
from .outcomes import Outcome, OutcomeKind, changed_since, still_being_written
from .service import Service
from .settling import still_written
from .uploading import Upload, upload_all, wait_for_all

ALL_FILED, SOME_FAILED = 0, 1


def run(options: Options, say: Callable[[str], None]) -> int:
    """Upload, wait, and say of each file what became of it.

    Args:
        say: takes a line for each file; what is for people only goes to standard error.

    Returns:
        The exit code: 0 where all is filed (or taken, where that is not waited for), 1 where something is not.

    Raises:
        Misused: nothing was begun.
    """
    found = find_files(options.paths)
    service = Service(options.url, api_key=options.api_key, patience=options.patience)
    service.check_access()
    outcomes = []
    for outcome in _outcomes(service, found.files, options):
        if options.done and outcome.kind in (OutcomeKind.FILED, OutcomeKind.ALREADY_FILED):
            outcome = _move_filed(outcome, options.done)
        outcomes.append(outcome)
        say(outcome.json() if options.as_json else outcome.line())
    _print_summary(outcomes, found.passed_over)
    return ALL_FILED if all(one.is_good(is_waited_for=options.wait > 0) for one in outcomes) else SOME_FAILED


def _outcomes(service: Service, files: list[Path], options: Options) -> Iterator[Outcome]:
    written = still_written(set(files) - set(options.paths))  # who names a file knows that it is whole
    yield from (still_being_written(path) for path in files if path in written)
    yield from _outcomes_of_whole(service, [path for path in files if path not in written], options)


def _outcomes_of_whole(service: Service, files: list[Path], options: Options) -> Iterator[Outcome]:
    opened: list[Upload] = []
    with bar("Uploading", len(files)) as progress:
        for result in upload_all(service, files, options):
            progress.update(1)
            if isinstance(result, Upload) and result.is_open and options.wait:
                opened.append(result)
            else:
                yield result.outcome if isinstance(result, Upload) else result
    with bar("Waiting for N8N", len(opened)) as progress:
        for outcome in wait_for_all(service, opened, options.wait):
            progress.update(1)
            yield outcome


def _move_filed(outcome: Outcome, folder: Path) -> Outcome:
    try:
        if digest(outcome.path) != outcome.sha256:  # a scanner writes the same name again
            return changed_since(outcome)
        move(outcome.path, folder, mark=outcome.job_id[:8])
    except OSError as error:  # it is filed all the same
        sys.stderr.write(f"A file that is filed cannot be moved into {folder}: {error.filename}: {error.strerror}.\n")
    return outcome


def _print_summary(outcomes: list[Outcome], passed_over: int) -> None:
    counts = Counter(outcome.kind for outcome in outcomes)
    parts = [f"{number} {kind}" for kind, number in sorted(counts.items())]
    if passed_over:
        one, more = "a link to a folder, or no picture by its name", "links to folders, or no pictures by their names"
        parts.append(f"{passed_over} passed over ({one if passed_over == 1 else more})")
    sys.stderr.write(f"{', '.join(parts) or 'There is no picture'}.\n")
