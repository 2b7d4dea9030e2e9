"""Runs of `manage.py verify_audit`, and what it is to look at."""

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

from receipts.models import Receipt, Rendition

WELL = "All is as it was written."


def verify(**options: Any) -> list[str]:
    """Return the lines that the command prints, the error among them."""
    out = StringIO()
    try:
        call_command("verify_audit", stdout=out, **options)
    except CommandError as error:
        out.write(f"{error}\n")
    return out.getvalue().splitlines()


def path_of(row: Receipt | Rendition) -> Path:
    """Return where its file is."""
    return Path(row.file.path)
