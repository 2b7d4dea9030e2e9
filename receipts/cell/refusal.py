"""Why a cell will not have a file."""


class Refusal(Exception):
    """The file is not what it should be; the argument says why, in one word: `broken`, `animated`, `encrypted`."""
