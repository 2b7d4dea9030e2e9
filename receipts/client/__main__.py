"""`python -m receipts.client`: see `--help`."""

import sys
from argparse import ArgumentParser

from accounting.terminal.output import take_any_line
from accounting.terminal.progress import say

from .ending import Ended, ending_in_a_sentence
from .options import add_options, read_options
from .run import run


def main() -> int:
    """Run, and return the exit code."""
    take_any_line()
    parser = ArgumentParser(
        prog="python -m receipts.client", description="Upload receipts, and wait for what becomes of them."
    )
    add_options(parser)
    try:
        with ending_in_a_sentence():
            return run(read_options(vars(parser.parse_args())), lambda line: say(sys.stdout, line))
    except Ended as ended:
        parser.exit(ended.code, f"{ended.sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
