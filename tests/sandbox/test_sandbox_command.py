"""`manage.py n8n_sandbox`: what it says, and where it does not start."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import LazySettings, settings
from django.core.management import CommandError, call_command

from jobs.sandbox import Behaviour, Sandbox
from tests.support.sandbox_requests import PATIENCE_SECONDS, Receiver, fields, post


def test_with_debug_off_the_command_does_not_start(settings: LazySettings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match=r"files nothing in Notion.*--force"):
        call_command("n8n_sandbox", port=0)


def test_a_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as error:
            call_command("n8n_sandbox", "--force", f"--port={port}")
    cure = "choose another with --port"
    assert str(error.value) == f"Cannot listen on port {port} of 127.0.0.1, address already in use: {cure}."


@pytest.mark.parametrize("host", ["203.0.113.1", "nowhere.invalid"])
def test_an_impossible_address_is_one_sentence(host: str) -> None:
    with pytest.raises(
        CommandError, match=rf"^Cannot listen on port 0 of {host}, [a-z ]+: choose another with --host\."
    ):
        call_command("n8n_sandbox", "--force", "--port=0", f"--host={host}")


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_an_impossible_port_is_one_sentence(port: str) -> None:
    with pytest.raises(CommandError, match="a whole number from 0 to 65535"):
        call_command("n8n_sandbox", "--force", f"--port={port}")


@contextmanager
def command(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the command as a process of its own, with its output into a pipe."""
    line = [sys.executable, "manage.py", "n8n_sandbox", "--port", "0", *arguments]
    environment = os.environ | {"DEBUG": "true", "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_what_it_is_serves_and_stops_when_told(receiver: Receiver, number: signal.Signals) -> None:
    with command("--behaviour", "failure", "--delay", "0") as process:
        assert process.stdout is not None
        assert "files nothing in Notion" in process.stdout.readline()
        url = process.stdout.readline().split()[1].removesuffix("/webhook/receipts")
        sandbox = Sandbox(url=url, behaviour=Behaviour.SUCCESS, delay=0, retry_delay=0)
        assert post(sandbox, fields(receiver)).status_code == 200
        assert receiver.next().body["status"] == "failure"
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
