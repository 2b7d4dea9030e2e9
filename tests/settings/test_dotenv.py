"""The `.env` file: read as people save it, or refused without a word of what is in it."""

import errno
import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounting.environment import Environment

CANARY = "canary-0451"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (f"# fine\n\nA=1\nMETRICS_TOKEN = {CANARY}\n".encode(), ".env, line 4, cannot be understood"),
        (f"{CANARY}\n".encode(), ".env, line 1, cannot be understood"),
        (f"METRICS_TOKEN={CANARY}\0\n".encode(), ".env, line 1, cannot be understood"),
        ("# Schlüssel\nA=1\n".encode("latin-1"), ".env is not written in UTF-8"),
    ],
)
def test_an_env_file_that_cannot_be_read_is_refused_and_nothing_of_it_told(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)) as refused:
        Environment(file)
    assert CANARY not in str(refused.value)


def test_a_blank_behind_a_quoted_value_does_not_make_the_quotes_a_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUOTED", raising=False)
    file = tmp_path / ".env"
    file.write_text('QUOTED="of the shop" \t\n')
    assert Environment(file).text("QUOTED") == "of the shop"
    monkeypatch.delenv("QUOTED")


def test_an_env_file_that_this_user_may_not_read_is_named_with_the_cure(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # for root nothing is forbidden
    with (
        patch.object(Path, "read_text", side_effect=denied),
        pytest.raises(ImproperlyConfigured, match=re.escape(".env cannot be read (Permission denied)")),
    ):
        Environment(file)


def test_a_folder_in_its_place_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    sentence = ".env cannot be read (Is a directory): put a file in the folder's place, or remove it."
    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)):
        Environment(tmp_path / ".env")


@pytest.mark.parametrize(("target", "reason"), [("gone", "No such file or directory"), (".env", "Too many levels")])
def test_so_is_a_link_that_leads_to_no_file(target: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to(target)
    with pytest.raises(ImproperlyConfigured, match=rf"\.env cannot be read \({reason}.*: let the link lead to a file"):
        Environment(tmp_path / ".env")


def test_where_there_is_none_nothing_is_read(tmp_path: Path) -> None:
    assert Environment(tmp_path / ".env").text("FROM_NOWHERE", "unset") == "unset"


def test_an_env_file_may_begin_with_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FROM_A_FILE", raising=False)
    file = tmp_path / ".env"
    file.write_text("\ufeffFROM_A_FILE='it is read'\n")
    with patch.dict(os.environ):
        assert Environment(file).text("FROM_A_FILE") == "it is read"


def test_a_name_that_is_nearly_one_of_a_setting_is_found(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("RETENTION_DAY=90\nexport SENTRY_DNS=x\nretention_days=90\nRETENTION_DAYS=90\nTZ=UTC\nWEBS=2\n")
    with patch.dict(os.environ):
        environment = Environment(file)
        assert environment.number("RETENTION_DAYS", 0) == 90
        assert environment.text("SENTRY_DSN", "") == ""
    assert environment.misspelt() == {
        "RETENTION_DAY": "RETENTION_DAYS",
        "SENTRY_DNS": "SENTRY_DSN",
        "retention_days": "RETENTION_DAYS",
    }


def test_so_is_one_that_a_supervisor_has_read_from_a_file_of_its_own(tmp_path: Path) -> None:
    handed_on = {"RETENTION_DAY": "90", "RETENTION_DAYSS": "", "DATABASE_URI": "x", "TZ": "UTC", "RETENTION_DAYS": ""}
    with patch.dict(os.environ, handed_on):
        environment = Environment(tmp_path / ".env")
        environment.text("RETENTION_DAYS", "")
        environment.text("DATABASE_URL", "")
        assert environment.misspelt() == {"RETENTION_DAY": "RETENTION_DAYS"}
