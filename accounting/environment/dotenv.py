"""What a `.env` file says, or in one sentence why it cannot be read."""

import errno
import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

ASSIGNMENT = re.compile(r"(?:export )?[A-Za-z_0-9]+=")  # as django-environ has it
UNREADABLE = {
    errno.EISDIR: "put a file in the folder's place, or remove it",  # Docker makes one where the file is missing
    errno.ENOENT: "let the link lead to a file, or remove it",
    errno.ELOOP: "let the link lead to a file, or remove it",
}


def read_dotenv(dotenv: Path) -> str:
    """Return the assignments in the file, and empty lines in the place of all others.

    django-environ would print a line that it cannot read, and go on without it.

    Raises:
        ImproperlyConfigured: the file, or a line of it, cannot be read.
    """
    try:
        content = dotenv.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{dotenv.name} is not written in UTF-8: save it so.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        cure = UNREADABLE.get(error.errno or 0, "let it belong to the user that this runs as")
        raise ImproperlyConfigured(f"{dotenv.name} cannot be read ({reason}): {cure}.") from None
    # a blank behind a quoted value would keep its quotes
    lines = [line.rstrip() if not line.lstrip().startswith("#") else "" for line in content.splitlines()]
    for number, line in enumerate(lines, 1):
        if line and (not ASSIGNMENT.match(line) or "\0" in line):
            raise ImproperlyConfigured(f"{dotenv.name}, line {number}, cannot be understood: write NAME=value there.")
    return "\n".join(lines)
