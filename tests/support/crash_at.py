"""`python -m tests.support.crash_at SIGNAL NAME COMMAND…`: manage.py, which a signal meets where NAME is called.

SIGKILL ends it there, as a crash of the machine would; after SIGSTOP it goes on once it is told to continue.
"""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django
from django.core.management import execute_from_command_line


def main() -> None:
    """Let the signal come before the function or method of that dotted name does anything, and run the command.

    NAME#3 is its third call.
    """
    _, number, called, *command = sys.argv
    name, _, which = called.partition("#")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
    django.setup()
    owner_name, _, attribute = name.rpartition(".")
    owner = find(owner_name)
    setattr(owner, attribute, _struck(getattr(owner, attribute), signal.Signals[number], int(which or 1)))
    execute_from_command_line(["manage.py", *command])


def _struck(function: Callable[..., Any], number: signal.Signals, which: int) -> Callable[..., Any]:
    """Return the function with the signal before that call of it."""
    calls = itertools.count(1)

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == which:
            signal.pthread_kill(threading.get_ident(), number)  # one to the process may reach another thread first
        return function(*args, **kwargs)

    return call


def find(name: str) -> object:
    """Return the module or class of that dotted name."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(import_module(module), attribute)


if __name__ == "__main__":
    main()
