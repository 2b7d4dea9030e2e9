"""Something that fails, whoever asks it."""

from typing import Any


def raising(error: BaseException) -> Any:
    """Return what raises that, whatever it is called with."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
