"""`python -m tests.support.fail_at NAMES COMMAND…`: manage.py in a process that fails where NAMES would be called."""

import os
import sys
from typing import NoReturn

import django
from django.core.management import execute_from_command_line

from .crash_at import find


def main() -> None:
    """Replace the functions or methods of those dotted names, with commas between, by a fault; run the command."""
    _, names, *command = sys.argv
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
    django.setup()
    for name in names.split(","):
        owner, _, attribute = name.rpartition(".")
        setattr(find(owner), attribute, fail)
    execute_from_command_line(["manage.py", *command])


def fail(*args: object, **kwargs: object) -> NoReturn:
    """Do what nobody expects, with everything at hand that the caller gave."""
    raise RuntimeError("a fault that the test has caused")


if __name__ == "__main__":
    main()
