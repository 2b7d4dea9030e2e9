"""What keeps the client from doing what it was told."""

FILE_CHANGED = "file_changed"


class Misused(Exception):
    """Nothing can be done as it was told; the message says why."""


class NotTaken(Exception):
    """One file is not taken, or one question never answered; the others go on."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class KeyRefused(NotTaken):
    """The service does not take the key, or no longer: no later question will be answered either."""


def unreadable(error: OSError) -> NotTaken:
    """Return what is to be said of a file that cannot be read."""
    return NotTaken("file_unreadable", f"It cannot be read: {error.strerror}.")
