"""Every model that staff look at has its pages, whichever module a process loads first."""

import subprocess
import sys

import pytest

MODELS = {
    "AccessAttempt", "ApiKey", "Client", "Dashboard", "Group", "JobEvent", "JobLog", "LogEntry", "Receipt", "Seal",
    "User",
}  # fmt: skip
REGISTERED = """
import django
from importlib import import_module

django.setup()
import_module("{first}")
import_module("accounting.urls")
from django.contrib import admin

print(*(model.__name__ for model in admin.site._registry))
"""


@pytest.mark.parametrize(
    "first", ["accounting.urls", "accounting.admin", "accounting.admin_site.site", "jobs.admin", "receipts.admin"]
)
def test_every_model_has_its_pages_whichever_module_is_loaded_first(first: str) -> None:
    script = REGISTERED.format(first=first)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert set(done.stdout.split()) == MODELS
