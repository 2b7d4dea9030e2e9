"""`python -m tests.crash_at NAME COMMAND…`: manage.py in a process that dies by SIGKILL where NAME would be called."""

import os
import signal
import sys
from importlib import import_module

import django
from django.core.management import execute_from_command_line


def main() -> None:
    """Replace the function or method of that dotted name by the process' death, and run the command."""
    _, name, *command = sys.argv
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
    django.setup()
    owner, _, attribute = name.rpartition(".")
    setattr(find(owner), attribute, lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL))
    execute_from_command_line(["manage.py", *command])


def find(name: str) -> object:
    """Return the module or class of that dotted name."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(import_module(module), attribute)


if __name__ == "__main__":
    main()
