"""Settings as a process in an environment of its own has them, or refuses them."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from .servers import made_up

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE = (PROJECT / ".env.example").read_text()
SHOWN = re.compile(r"^(?:# )?([A-Z0-9_]+)=(.*)$", re.MULTILINE)


def example(*, required: bool) -> dict[str, str]:
    """Return what the example shows: what must be set, or the defaults."""
    return {match[1]: match[2] for match in SHOWN.finditer(EXAMPLE) if match[0].startswith("#") != required}


def settings_of(**changes: str) -> dict[str, str]:
    """Return the environment of a process whose settings are the example's, with its placeholders filled in."""
    unset = dict.fromkeys(example(required=False), "")  # whatever an .env file says
    filled_in = {key: value.replace("change-me", made_up("any")) for key, value in example(required=True).items()}
    return os.environ | unset | filled_in | changes


def check(**changes: str) -> subprocess.CompletedProcess[str]:
    """Start a process whose settings these are."""
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, cwd=PROJECT, env=settings_of(**changes), capture_output=True, text=True, check=False)


def loaded_settings(**changes: str) -> dict[str, Any]:
    """Return all settings that such a process would have."""
    specification = find_spec("accounting.settings")
    assert specification is not None
    assert specification.loader is not None
    settings = module_from_spec(specification)
    with patch.dict(os.environ, settings_of(**changes), clear=True):
        specification.loader.exec_module(settings)
    return {key: value for key, value in vars(settings).items() if key.isupper()}


def refusal(key: str, **changes: str) -> str:
    """Return the one sentence, about this key, with which settings are refused."""
    with pytest.raises(ImproperlyConfigured) as refused:
        loaded_settings(**changes)
    sentence = str(refused.value)
    assert re.fullmatch(rf"{key} \S[^\n]+\.", sentence), sentence
    return sentence
