"""The compose file fits the project, its settings, and itself."""

import os
import re
import stat
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from django.conf import LazySettings, settings

from jobs.connect.workflows import TRIAL, signing_text, workflow

from .configuration import (
    COMPOSE,
    DEPLOY,
    OURS,
    SERVICES,
    environment_of,
    names_in,
    passed_on,
    seconds_of,
    settings_explained,
)
from .tools import run

REDIS_PATIENCE_SECONDS = 20  # what a worker that waits for Redis may take to stop (docs/operations.md)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what new-env.sh writes."""
    return _settings_in(_new_env(tmp_path_factory.mktemp("deploy")))


def test_every_variable_is_a_setting_or_written_by_the_command(written: dict[str, str]) -> None:
    named = names_in((DEPLOY / "compose.yaml").read_text()) | {COMPOSE["secrets"]["metrics_token"]["environment"]}
    assert named - settings_explained() - set(written) == set()


def test_every_setting_that_it_gives_to_our_processes_is_one(written: dict[str, str]) -> None:
    of_others = {name for name, value in environment_of("web").items() if value == ""}
    assert set(environment_of("web")) - settings_explained() == of_others
    assert {name for name in of_others if name not in written} == set()


@pytest.mark.parametrize("name", OURS)
def test_every_setting_that_is_explained_can_be_set_for_each_of_our_processes(name: str) -> None:
    env = {setting: f"value of {setting}" for setting in settings_explained()}
    got = passed_on(name, env)
    assert {setting: got.get(setting) for setting in env} == env


def test_what_the_command_leaves_to_be_set_are_settings(tmp_path: Path) -> None:
    left = set(re.findall(r"^# ([A-Z0-9_]+)=", _new_env(tmp_path).read_text(), re.MULTILINE))
    assert {"S3_BUCKET", "S3_SECRET_ACCESS_KEY", "SENTRY_DSN", "RETENTION_DAYS"} <= left <= settings_explained()


def test_no_process_of_ours_is_given_the_secrets_of_others(written: dict[str, str]) -> None:
    of_others = set(written) - settings_explained() - {"GRAFANA_BASE_URL", "WEBS", "WORKERS", "WORKER_GRACE"}
    assert of_others == {"POSTGRES_PASSWORD", "N8N_ENCRYPTION_KEY", "GRAFANA_PASSWORD"}
    assert {passed_on(name, written)[secret] for name in OURS for secret in of_others} == {""}


def test_every_variable_of_the_caddyfile_has_a_default_or_is_given_to_caddy() -> None:
    text = (DEPLOY / "Caddyfile").read_text()
    with_default = set(re.findall(r"\{\$([A-Z0-9_]+):", text))
    assert names_in(text) - with_default - set(environment_of("caddy")) == set()


def test_every_file_that_is_mounted_exists() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [path for path in mounted if path.startswith(".")]
    assert files
    assert [path for path in files if not (DEPLOY / path).exists()] == []
    assert {path for path in mounted if not path.startswith(".")} == set(COMPOSE["volumes"])


def test_only_caddy_is_published() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]


def test_database_and_valkey_have_no_way_out_nor_in() -> None:
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert {name: SERVICES[name]["networks"] for name in ("postgres", "valkey", "prometheus")} == {
        "postgres": ["back"],
        "valkey": ["back"],
        "prometheus": ["back"],
    }


def test_caddy_meets_the_web_process_under_the_one_address_that_is_trusted() -> None:
    assert SERVICES["caddy"]["networks"] == {"front": {"ipv4_address": passed_on("web", {})["TRUSTED_PROXIES"]}}


def test_nobody_else_is_given_that_address() -> None:
    (front,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    trusted = ip_address(passed_on("web", {})["TRUSTED_PROXIES"])
    assert trusted in ip_network(front["subnet"])
    assert trusted not in ip_network(front["ip_range"])


@pytest.mark.parametrize("name", SERVICES)
def test_everything_has_a_pinned_image_a_limit_and_logs_that_end(name: str) -> None:
    service = SERVICES[name]
    assert name in OURS or re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", service["image"])
    assert service["logging"]["options"]["max-size"]
    if name == "migrate":  # it ends
        return
    assert service["restart"] == "unless-stopped"
    assert service["deploy"]["resources"]["limits"]["memory"]


def test_everything_that_serves_has_a_health_check() -> None:
    unseen = {name for name, service in SERVICES.items() if service.get("healthcheck", {}).get("disable")}
    assert unseen == set(OURS) - {"web"}
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"web"}  # the image's own


@pytest.mark.parametrize("name", OURS)
def test_our_processes_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    targets = [volume.split(":")[1] for volume in service["volumes"]] + service.get("tmpfs", [])
    assert sorted(targets) == ["/tmp", "/var/lib/receipts"]  # noqa: S108 - the container's own


def test_migrations_end_before_any_process_begins() -> None:
    for name in set(OURS) - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert "migrate" not in SERVICES["migrate"]["depends_on"]


@pytest.mark.parametrize(("name", "variable"), [("web", "WEBS"), ("worker", "WORKERS")])
def test_how_many_there_are_is_kept_whenever_it_is_started_again(
    name: str, variable: str, written: dict[str, str]
) -> None:
    assert SERVICES[name]["deploy"]["replicas"] == f"${{{variable}:-{written[variable]}}}"


def test_a_worker_may_finish_what_it_delivers_when_it_is_stopped(written: dict[str, str]) -> None:
    grace = seconds_of(SERVICES["worker"]["stop_grace_period"])
    assert grace >= settings.RQ_TIMEOUT_SECONDS + REDIS_PATIENCE_SECONDS
    assert seconds_of(written["WORKER_GRACE"]) == grace


def test_the_secret_of_signatures_is_one_that_n8n_can_hold(written: dict[str, str], settings: LazySettings) -> None:
    settings.N8N_WEBHOOK_SECRET = [written["N8N_WEBHOOK_SECRET"]]
    assert signing_text() == written["N8N_WEBHOOK_SECRET"]


def test_the_way_to_connect_n8n_names_settings_workflows_and_buttons_that_there_are(written: dict[str, str]) -> None:
    way = (DEPLOY / "README.md").read_text().partition("Then N8N:")[2].partition("Keep a copy")[0]
    settings_named = set(re.findall(r"`(N8N_\w+)`", way))
    assert {"N8N_BASE_URL", "N8N_PUBLIC_API_KEY"} <= settings_named <= settings_explained() | set(written)
    assert {"N8N_BASE_URL", "N8N_WEBHOOK_URL"} <= set(written)
    assert re.findall(r"Receipts: [a-z ]+", " ".join(way.split())) == [workflow(TRIAL).name]
    page = "".join(path.read_text() for path in Path("templates/admin/connect").iterdir())
    for button in ("Install again", "Test now"):
        assert f"*{button}*" in way
        assert button in page


def test_n8n_keeps_to_itself_and_takes_what_we_send() -> None:
    environment = environment_of("n8n")
    assert environment["N8N_PAYLOAD_SIZE_MAX"] == f"${{N8N_MAX_PAYLOAD_MB:-{settings.N8N_MAX_PAYLOAD_MB}}}"
    assert environment["N8N_DIAGNOSTICS_ENABLED"] == "false"
    assert environment["NODE_ENV"] == "production"


def test_the_command_writes_a_file_that_the_settings_accept_and_its_owner_alone_reads(tmp_path: Path) -> None:
    env = _new_env(tmp_path)
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    environment = {"PATH": os.environ["PATH"]} | passed_on("web", _settings_in(env))
    environment |= {"DATABASE_URL": "sqlite://:memory:", "MEDIA_ROOT": str(tmp_path)}
    check = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(check, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.deploy
def test_shellcheck_finds_nothing_wrong_with_the_scripts() -> None:
    run("shellcheck", DEPLOY / "new-env.sh", ".ci/run")


def test_the_command_makes_other_secrets_each_time_and_never_writes_over_a_file(tmp_path: Path) -> None:
    one, other = (_new_env(folder).read_text() for folder in (tmp_path / "one", tmp_path / "other"))
    shared = set(one.splitlines()) & set(other.splitlines())
    assert [line for line in shared if re.match(r"\w*(KEY|SECRET|TOKEN|PASSWORD)=", line)] == []
    with pytest.raises(subprocess.CalledProcessError):
        _new_env(tmp_path / "one")
    assert (tmp_path / "one/.env").read_text() == one


@pytest.mark.parametrize("host", ["https://receipts.example.com", "receipts.example.com:8443", "a b", "a/", ""])
def test_the_command_refuses_what_is_no_host_before_it_writes(tmp_path: Path, host: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _new_env(tmp_path, host)
    assert refused.value.returncode == 2
    assert refused.value.stderr.startswith(b"Name hosts without https:// and port")
    assert [path.name for path in tmp_path.iterdir()] == ["new-env.sh"]


def _settings_in(env: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in env.read_text().splitlines() if line and not line.startswith("#"))


def _new_env(folder: Path, host: str = "receipts.example.com") -> Path:
    folder.mkdir(exist_ok=True)
    command = folder / "new-env.sh"
    command.write_bytes((DEPLOY / "new-env.sh").read_bytes())
    subprocess.run(["/bin/sh", command, host, "n8n.example.com"], check=True, capture_output=True)
    return folder / ".env"
