"""`python -m tests.chaos`: one run and its report; exits with 1 where the checker finds anything."""

import argparse
import atexit
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from .checker import check
from .deliveries import count_further_posts
from .run import Interrupted, Outcome, run

SHOWN = 20


def main() -> int:
    """Run, check and report; keep the folder where something is wrong."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="receipts-chaos-"))
    # at the very end: PostgreSQL's package writes into it when Python ends
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    say(f"Chaos with seed {options.seed} for {options.duration:g} s on {options.database}")
    try:
        outcome = run(folder, seed=options.seed, duration=options.duration, database=options.database, say=say)
        wrong = check(outcome.evidence) + outcome.audit
    except (KeyboardInterrupt, Interrupted):
        return 130
    except BaseException:
        keep(folder)
        raise
    report(outcome)
    if wrong:
        say("\n".join(["", f"WRONG, seed {options.seed}: {len(wrong)} violations", *wrong[:SHOWN]]))
        keep(folder)
        return 1
    say("Everything held.")
    return 0


def keep(folder: Path) -> None:
    """Leave what happened to be looked at."""
    atexit.unregister(shutil.rmtree)
    say(f"Ledgers, database and logs are in {folder}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Random faults, and an honest checker.")
    parser.add_argument("--seed", type=int, default=1, help="draws faults and N8N's answers (1)")
    parser.add_argument("--duration", type=float, default=20, help="seconds in which faults strike (20)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="(sqlite)")
    return parser.parse_args()


def report(outcome: Outcome) -> None:
    """Print the figures, whether or not they are good ones."""
    evidence = outcome.evidence
    posts = evidence.seen_by_n8n("post")
    accepted = {answer["key"] for answer in evidence.answers if answer["status"] in (200, 202)}
    say(f"Faults: {counted(outcome.struck)}")
    say(f"N8N: {counted(Counter(post['way'] for post in posts))}")
    say(f"Clients were told: {counted(Counter(str(answer['status'] or 'nothing') for answer in evidence.answers))}")
    say(f"{len(accepted)} receipts accepted, {len(evidence.jobs)} jobs: {_statuses(outcome)}")
    say(f"{len(posts)} posts, {count_further_posts(evidence)} beyond the first of a job")
    say(f"All was over {outcome.calm_seconds:.1f} s after the last fault")


def _statuses(outcome: Outcome) -> str:
    jobs = outcome.evidence.jobs.values()
    return counted(Counter(" ".join(filter(None, (job["status"], job["failure_code"]))) for job in jobs))


def counted(numbers: Mapping[str, int]) -> str:
    """Return the numbers in words, largest first."""
    return ", ".join(f"{name} {number}" for name, number in sorted(numbers.items(), key=lambda item: -item[1]))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
