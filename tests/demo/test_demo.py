"""What `make demo` makes sure of before it starts anything, and what it asks of the first receipt."""

import os
import socket
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest
import requests

from accounting.demo import __main__ as demo
from accounting.demo import configuration
from accounting.demo.configuration import CannotGoOn, Options, kept_secrets, require_free_port
from accounting.demo.supervisor import Supervisor
from tests.support.servers import free_port

ANOTHER_N8N = "https://n8n.example.com/webhook/receipts"


def test_a_taken_port_is_one_sentence_that_names_the_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(CannotGoOn, match=rf"port {port} is taken.* make demo PORT={port + 1}"):
            require_free_port(port)


def test_a_free_port_is_free_again_after_the_look() -> None:
    port = free_port()
    require_free_port(port)
    require_free_port(port)


@pytest.mark.parametrize("port", ["web", "0", "65536", "-1"])
def test_a_port_that_is_none_is_one_sentence(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)

    with pytest.raises(CannotGoOn, match="PORT is a number"):
        Options.read()


def test_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8001")
    monkeypatch.setenv("ONCE", "1")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/5")
    monkeypatch.delenv("N8N_WEBHOOK_URL")

    assert Options.read() == Options(port=8001, once=True, redis_url="redis://127.0.0.1:6379/5", n8n_webhook_url="")


def test_secrets_are_random_and_then_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(configuration, "SECRETS", tmp_path / "secrets.env")
    first, second = kept_secrets(), kept_secrets()
    assert all(first[key] != second[key] for key in first if key != "API_KEY")

    configuration._write_secrets(first | {"API_KEY": "abc=def"})
    assert kept_secrets() == first | {"API_KEY": "abc=def"}


def test_a_second_one_in_the_same_folder_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "umask", lambda mask: 0)  # it would outlive this test
    for name in ("FOLDER", "LOGS", "VALKEY"):
        monkeypatch.setattr(configuration, name, tmp_path)

    with (
        configuration.locked_folder(),
        pytest.raises(CannotGoOn, match="another one is running"),
        configuration.locked_folder(),
    ):
        pass


def test_settings_of_the_developers_own_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLOAD_MAX_MB", "100")
    options = Options(port=8000, once=False, redis_url="", n8n_webhook_url="")
    environment = configuration._environment(options, {}, 6390, 5690)

    assert environment["UPLOAD_MAX_MB"] == ""
    assert environment["PUBLIC_BASE_URL"] == "http://127.0.0.1:8000"
    assert environment["REDIS_URL"] == "redis://127.0.0.1:6390/0"
    assert environment["N8N_WEBHOOK_URL"] == "http://127.0.0.1:5690/webhook/receipts"


def test_what_it_needs_to_connect_another_n8n_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in configuration.OF_ANOTHER_N8N:
        monkeypatch.setenv(name, f"of another: {name}")
    others = _environment(n8n_webhook_url=ANOTHER_N8N)
    own = _environment(n8n_webhook_url="")

    assert {"N8N_BASE_URL", "N8N_PUBLIC_API_KEY", "CALLBACK_BASE_URL"} <= set(configuration.OF_ANOTHER_N8N)
    for name in configuration.OF_ANOTHER_N8N:
        assert others[name] == f"of another: {name}"
        assert "another" not in own[name]


def test_with_another_n8n_the_password_comes_before_a_receipt_that_may_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = {"status": "queued", "result_message": "", "last_error": "n8n_webhook_not_found"}
    _run(monkeypatch, tmp_path, waits, n8n_webhook_url=ANOTHER_N8N)

    printed = capsys.readouterr().out
    assert printed.index("admin / the-password") < printed.index("connect your N8N") < printed.index("queued")
    assert "http://127.0.0.1:8000/admin/connect/" in printed
    assert "It has not ended after 60 s. N8N knows no active webhook at this address. Activate the workflow" in printed
    assert "http://127.0.0.1:8000/admin/jobs/joblog/the-job/change/" in printed
    assert printed.endswith("It runs until told to stop.\n")


def test_with_another_n8n_a_receipt_that_fails_is_told_of_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, tmp_path, FAILED, n8n_webhook_url=ANOTHER_N8N)

    printed = capsys.readouterr().out
    assert "failure     No such database." in printed
    assert "The timeline of the-job." in printed
    assert printed.endswith("It runs until told to stop.\n")


@pytest.mark.parametrize(
    ("once", "n8n_webhook_url"), [(False, ""), (True, ""), (True, ANOTHER_N8N)], ids=["own", "once", "once, another"]
)
def test_the_sandbox_and_once_forgive_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, once: bool, n8n_webhook_url: str
) -> None:
    with pytest.raises(CannotGoOn, match="the job failed: No such database"):
        _run(monkeypatch, tmp_path, FAILED, once=once, n8n_webhook_url=n8n_webhook_url)
    with pytest.raises(CannotGoOn, match="the job had not ended"):
        _run(monkeypatch, tmp_path, FAILED | {"status": "queued"}, once=once, n8n_webhook_url=n8n_webhook_url)


def test_once_ends_after_the_first_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, tmp_path, FAILED | {"status": "success"}, once=True)

    assert capsys.readouterr().out.endswith("The timeline of the-job.\n")


FAILED = {"status": "failure", "result_message": "No such database.", "last_error": ""}


def _environment(*, n8n_webhook_url: str) -> dict[str, str]:
    options = Options(port=8000, once=False, redis_url="", n8n_webhook_url=n8n_webhook_url)
    return configuration._environment(options, {}, 6390, 5690)


def _run(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    state: dict[str, str],
    *,
    once: bool = False,
    n8n_webhook_url: str = "",
) -> None:
    """Run the demonstration without its processes; its receipt's job stays as `state` says."""

    class Told(Supervisor):
        def watch(self, *, seconds: float = inf, until: Callable[[], bool] = lambda: False) -> bool:
            if seconds == inf:
                demo._say("It runs until told to stop.")
                return False
            return super().watch(seconds=0.01, until=until)

    class Session(requests.Session):
        def get(self, *_: Any, **__: Any) -> requests.Response:
            answer = requests.Response()
            answer.status_code = 200
            answer.json = lambda **_: state  # type: ignore[method-assign]
            return answer

    job = demo._Job(Session(), job_id="the-job", url="http://127.0.0.1:8000/api/v1/jobs/the-job/")
    monkeypatch.setattr(demo, "configure", lambda *_: [])
    monkeypatch.setattr(demo, "prepare_database", lambda *_: None)
    monkeypatch.setattr(demo, "_print_timeline", lambda job_id: demo._say(f"The timeline of {job_id}."))
    monkeypatch.setattr(demo._Demonstration, "_start", lambda *_: None)
    monkeypatch.setattr(demo._Demonstration, "_upload_receipt", lambda *_: job)
    options = Options(port=8000, once=once, redis_url="", n8n_webhook_url=n8n_webhook_url)
    kept = {"API_KEY": "the-key", "ADMIN_PASSWORD": "the-password"}
    demo._Demonstration(options, kept, Told(logs=folder, report=demo._say)).run()
