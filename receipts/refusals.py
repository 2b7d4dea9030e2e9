"""What a client is told of an upload that was looked at in vain."""

from django.conf import settings

from accounting.problems import Problem

from .cell import Refused, TooMuch
from .containers import Animated


def unsupported(found: str) -> Problem:
    """Return the answer to a file of another format, which names what it is and what is taken."""
    what = f"This is {_article(found)} {found.upper()} file" if found else "The file's bytes are of no known format"
    *others, last = (name.upper() for name in settings.UPLOAD_FORMATS)
    wanted = f"{', '.join(others)} or {last}" if others else last
    return Problem(415, "unsupported_file_type", f"{what}; send {wanted}.")


def refusal(form: str, fault: Exception) -> Problem:
    """Return the answer to a file that was looked at in vain."""
    kind, what = _names(form)
    match fault:
        case TooMuch():
            return Problem(400, f"{kind}_too_complex", f"The {what} takes too much memory or time; send a simpler one.")
        case Animated() | Refused(args=["animated"]):
            return Problem(400, "image_animated", "The image is an animation; send a single picture.")
        case Refused(args=["encrypted"]):
            return Problem(400, "pdf_encrypted", "The PDF is locked with a password; send it without.")
    return broken(form)


def broken(form: str) -> Problem:
    """Return the answer to a file that cannot be read."""
    kind, what = _names(form)
    return Problem(400, f"{kind}_broken", f"The {what} is damaged or cut short; take or export it again.")


def _names(form: str) -> tuple[str, str]:
    return ("pdf", "PDF") if form == "pdf" else ("image", "image")


def _article(name: str) -> str:
    return "an" if name.startswith("a") else "a"
