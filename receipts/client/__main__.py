"""`python -m receipts.client`: see `--help`."""

import sys
from argparse import ArgumentParser

from accounting.progress import say

from .options import add_options, read_options
from .refusals import Misused
from .run import INTERRUPTED, MISUSED, run


def main() -> int:
    """Run, and return the exit code."""
    parser = ArgumentParser(
        prog="python -m receipts.client", description="Upload receipts, and wait for what becomes of them."
    )
    add_options(parser)
    try:
        return run(read_options(parser.parse_args()), lambda line: say(sys.stdout, f"{line}\n"))
    except Misused as misused:
        parser.exit(MISUSED, f"{misused}\n")
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, "Interrupted; the same command goes on from there.\n")


if __name__ == "__main__":
    sys.exit(main())
