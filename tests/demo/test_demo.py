"""What `make demo` makes sure of before it starts anything."""

import os
import socket
from pathlib import Path

import pytest

from accounting.demo import configuration
from accounting.demo.configuration import CannotGoOn, Options, kept_secrets, require_free_port
from tests.support.servers import free_port


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
