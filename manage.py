#!/usr/bin/env python
"""Django's command line, with a bad setting or database answered in one sentence instead of a traceback."""

import os
import sys
from importlib import import_module

from accounting.terminal.output import take_any_line

INTERRUPTED = 130  # as shells have it: 128 and the number of SIGINT


def main() -> None:
    """Run the command that the arguments name.

    Raises:
        SystemExit: with a sentence that names the setting and the cure, where one is missing or impossible, or where
            the database cannot be used; `--traceback` shows what it said. With 130 where it was interrupted,
            with 141 where whoever read its output has left, as `head` does.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
    take_any_line()
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    # here, for to load Django takes long enough to be interrupted
    from accounting.memory import collect_nothing_while_loading

    collect_nothing_while_loading()  # until `AccountingConfig.ready`
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError, InterfaceError

    try:
        import_module(os.environ["DJANGO_SETTINGS_MODULE"])  # Django lets some commands run into what is wrong there
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    except (DatabaseError, InterfaceError):
        from accounting.outages import why_no_database

        if "--traceback" in sys.argv or not (why := why_no_database()):
            raise
        sys.exit(f"manage.py: {why}")
    except BrokenPipeError:
        from accounting.terminal.progress import is_unheard, stop_unheard

        if not is_unheard():
            raise
        stop_unheard()


if __name__ == "__main__":
    main()
