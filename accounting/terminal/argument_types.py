"""What the numbers behind a command's options may be; a wrong one is a sentence, not a traceback."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a type for `add_argument`: a whole number from `minimum` to `maximum`."""

    def convert(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or len(text) > 20 or not minimum <= int(text) <= maximum:
            raise ArgumentTypeError(f"it takes a whole number from {minimum} to {maximum}")
        return int(text)

    return convert


def seconds(minimum: float, maximum: float) -> Callable[[str], float]:
    """Return a type for `add_argument`: seconds, also in fractions, from `minimum` to `maximum`."""

    def convert(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not minimum <= number <= maximum:  # nothing compares with not-a-number
            raise ArgumentTypeError(f"it takes seconds from {minimum:g} to {maximum:g}")
        return number

    return convert
