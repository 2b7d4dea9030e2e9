"""`python -m tests.crash_at SIGNAL NAME COMMAND…`: manage.py in a process that a signal meets where NAME is called.

SIGKILL ends it there, as a crash of the machine would; after SIGSTOP it goes on once it is told to continue.
"""

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
    """Let the signal come before the function or method of that dotted name does anything, and run the command."""
    _, number, name, *command = sys.argv
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
    django.setup()
    owner_name, _, attribute = name.rpartition(".")
    owner = find(owner_name)
    setattr(owner, attribute, _struck(getattr(owner, attribute), signal.Signals[number]))
    execute_from_command_line(["manage.py", *command])


def _struck(function: Callable[..., Any], number: signal.Signals) -> Callable[..., Any]:
    """Return the function with the signal before its first call."""
    strikes = iter([number])

    def call(*args: Any, **kwargs: Any) -> Any:
        for strike in strikes:
            signal.pthread_kill(threading.get_ident(), strike)  # one to the process may reach another thread first
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
