"""The commands of docs/clients.md, for the client and for curl, as they are printed there."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.tools import tool
from tests.factories import DATABASE_ID
from tests.support.client_runs import KEY, TAKEN, pictures, scripted
from tests.support.stub_server import Behaviour, Visit, response, stub_server

pytestmark = [pytest.mark.processes, pytest.mark.any_database]

DOCUMENT = Path("docs/clients.md").read_text()
OF_CURL = re.search(r"^## curl$(.*?)^## ", DOCUMENT, re.DOTALL | re.MULTILINE)
RECIPE = "".join(re.findall(r"```sh\n(.*?)```", OF_CURL[1] if OF_CURL else "", re.DOTALL))
BLOCKS = re.findall(r"^```(\w*)$(.*?)^```$", DOCUMENT + Path("README.md").read_text(), re.DOTALL | re.MULTILINE)
PASTED = "".join(block for language, block in BLOCKS if language in ("", "sh"))
SLEEPLESS = "sleep() { echo paused >&2; }\n"  # the recipe's own pauses are for a full disk
AS_IN_ZSH = "readonly status\n"
LONG_PROBLEM = b'{"code": "storage_full", "detail": "There is no room; try again later, or much later, or even later."}'


class Cooked(NamedTuple):
    """What came of the recipe."""

    code: int
    printed: str
    complaints: str
    keys: list[str | None]


@pytest.fixture(name="cook")
def cook_(tmp_path: Path) -> Callable[..., Cooked]:
    """Return what follows the recipe for a receipt, against a server that behaves so."""
    tool("curl")
    pictures(tmp_path, range(1)).joinpath("000.jpg").rename(tmp_path / "receipt.jpg")

    def cook(*behaviours: Behaviour, then: str = "") -> Cooked:
        with stub_server(*behaviours) as server:
            options = {"RECEIPTS_URL": server.url, "RECEIPTS_API_KEY": KEY, "RECEIPTS_DATABASE": DATABASE_ID}
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)} | options
            command = ["sh", "-c", SLEEPLESS + AS_IN_ZSH + RECIPE + then]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert {request.headers["Authorization"] for request in server.requests} == {f"Api-Key {KEY}"}
        keys = [request.headers["Idempotency-Key"] for request in server.requests]
        return Cooked(done.returncode, done.stdout, done.stderr, keys)

    return cook


def body_of(answer: bytes) -> str:
    return answer.partition(b"\r\n\r\n")[2].decode()


def test_what_is_pasted_has_no_comments_which_zsh_takes_for_arguments() -> None:
    assert "python3 -m receipts.client" in PASTED
    assert "make demo" in PASTED
    assert "#" not in PASTED


def test_the_key_is_kept_where_nobody_else_reads_it_and_later_files_are_as_ever(
    cook: Callable[..., Cooked], tmp_path: Path
) -> None:
    cook(scripted(TAKEN), then=f"umask > {tmp_path}/mask")
    assert (tmp_path / ".receipts-key").stat().st_mode & 0o777 == 0o600
    assert int((tmp_path / "mask").read_text(), 8) == 0o022


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 507])
def test_what_passes_is_tried_again_under_the_same_key_and_one_answer_is_printed(
    cook: Callable[..., Cooked], status: int
) -> None:
    cooked = cook(scripted(response(status, LONG_PROBLEM, Retry_After="1"), TAKEN))
    assert (cooked.code, cooked.printed) == (0, body_of(TAKEN)), cooked.complaints
    assert ("paused" in cooked.complaints) == (status == 507)
    assert (len(cooked.keys), len(set(cooked.keys))) == (2, 1)


def test_a_connection_that_breaks_is_tried_again(cook: Callable[..., Cooked]) -> None:
    def break_off(visit: Visit) -> None:
        visit.read_head()
        visit.reset()

    cooked = cook(break_off, scripted(TAKEN))
    assert (cooked.code, cooked.printed) == (0, body_of(TAKEN)), cooked.complaints


@pytest.mark.parametrize("status", [400, 401, 413, 415, 422])
def test_what_is_refused_for_good_is_sent_once_and_says_why(cook: Callable[..., Cooked], status: int) -> None:
    cooked = cook(scripted(response(status, LONG_PROBLEM)))
    assert (cooked.code, cooked.printed, cooked.complaints) == (1, LONG_PROBLEM.decode(), "")
    assert len(cooked.keys) == 1


def test_a_disk_that_stays_full_is_no_success(cook: Callable[..., Cooked]) -> None:
    cooked = cook(scripted(*[response(507, LONG_PROBLEM, Retry_After="5")] * 5))
    assert (cooked.code, cooked.printed, len(cooked.keys)) == (1, LONG_PROBLEM.decode(), 5)


def test_the_commands_that_start_the_client_are_those_that_are_printed(tmp_path: Path) -> None:
    block = re.search(r"^## The command$.*?```sh\n(.*?)```", DOCUMENT, re.DOTALL | re.MULTILINE)
    pretended = tmp_path / "python3"
    pretended.write_text('#!/bin/sh\necho "$@"\nenv\n')
    pretended.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/home/anna"}

    done = subprocess.run(
        [tool("bash"), "-c", block[1] if block else "false"],
        input=f"{KEY}\n", env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    arguments, *variables = done.stdout.splitlines()
    assert arguments == "-m receipts.client /home/anna/receipts/2026 one-more.pdf"
    assert f"RECEIPTS_API_KEY={KEY}" in variables
    assert {"RECEIPTS_URL", "RECEIPTS_DATABASE"} <= {variable.partition("=")[0] for variable in variables}
