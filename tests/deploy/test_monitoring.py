"""Alerts and dashboard ask for metrics that there are, in words that Prometheus understands."""

import json
import re
from pathlib import Path

import pytest
import yaml
from django.urls import get_resolver

from accounting.monitoring.process_metrics import WEB_SERVER
from jobs.metrics.counting import NOT_SENT
from jobs.models import JobEvent, JobLog

from .configuration import DEPLOY, SERVICES, metrics_listed
from .tools import run

ALERTS = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/receipts.json").read_text())
ASKED_BY_PANELS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
ASKED = [rule["expr"] for rule in ALERTS] + ASKED_BY_PANELS
PARTS_OF_A_HISTOGRAM = ("_bucket", "_count", "_sum")


def test_every_metric_that_is_asked_for_is_listed_and_none_is_forgotten() -> None:
    asked = {name for expression in ASKED for name in re.findall(r"\breceipts_\w+", expression)}
    listed = metrics_listed()
    exposed = {name + part for name, kind in listed.items() for part in _parts(kind)}
    assert asked - exposed == set()
    assert {name for name in listed if not [part for part in _parts(listed[name]) if name + part in asked]} == set()


def test_every_label_value_that_is_asked_for_exists() -> None:
    kinds = _values("kind")
    assert kinds
    assert kinds - {str(kind) for kind in JobEvent.Kind} - {NOT_SENT} == set()
    statuses = _values("status")
    assert {status for status in statuses if not status.endswith("xx")} - {
        str(status) for status in JobLog.Status
    } == set()
    assert {view for view in _values("view") - {WEB_SERVER} if not _is_address(view)} == set()


def test_every_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["for"]


def test_whoever_is_told_of_an_alert_finds_by_its_name_what_to_do() -> None:
    rows = re.findall(r"^\|.*\|$", Path("docs/operations.md").read_text(), re.MULTILINE)
    proposed = re.findall(r"^- alert: (\w+)$", (DEPLOY / "README.md").read_text(), re.MULTILINE)
    names = [*(rule["alert"] for rule in ALERTS), *proposed]
    assert [name for name in names if not any(f"`{name}`" in row for row in rows)] == []


def test_the_dashboard_draws_each_panel_once_in_a_place_of_its_own_from_our_prometheus() -> None:
    panels = DASHBOARD["panels"]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    squares = [square for panel in panels for square in _squares(**panel["gridPos"])]
    assert len(set(squares)) == len(squares)
    assert max(x for x, _ in squares) < 24  # columns that Grafana has


def test_every_web_process_is_asked_however_many_the_compose_file_runs() -> None:
    (scrape,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = scrape["dns_sd_configs"]
    assert (found["names"], found["type"]) == (["web"], "A")
    assert set(SERVICES["web"]["networks"]) & set(SERVICES["prometheus"]["networks"])
    assert f"EXPOSE {found['port']}\n" in (DEPLOY / "Dockerfile").read_text()


@pytest.mark.deploy
def test_promtool_finds_nothing_wrong_with_configuration_and_rules() -> None:
    run("promtool", "check", "config", "--syntax-only", DEPLOY / "prometheus.yml")
    run("promtool", "check", "rules", "--lint-fatal", DEPLOY / "alerts.yml")


@pytest.mark.deploy
def test_each_alert_fires_when_it_should_and_never_at_a_healthy_service() -> None:
    run("promtool", "test", "rules", DEPLOY / "alerts.test.yml")
    tested = (DEPLOY / "alerts.test.yml").read_text()
    assert [rule["alert"] for rule in ALERTS if rule["alert"] not in tested] == []


@pytest.mark.deploy
def test_prometheus_beside_the_units_asks_web_with_the_newest_token(tmp_path: Path) -> None:
    (commands,) = re.findall(r"^(cp deploy/prometheus.*?)^systemctl", (DEPLOY / "README.md").read_text(), re.M | re.S)
    (tmp_path / "env").write_text("SECRET_KEY=other\nMETRICS_TOKEN=new,old\n")
    here = {"/etc/prometheus": str(tmp_path), "/etc/receipts": str(tmp_path), "--group prometheus ": ""}
    for there, instead in here.items():
        commands = commands.replace(there, instead)
    run("bash", "-e", "-c", commands)
    run("promtool", "check", "config", tmp_path / "prometheus.yml")
    (scrape,) = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": ["127.0.0.1:8000"]}]
    assert Path(scrape["authorization"]["credentials_file"]).read_text() == "new\n"


@pytest.mark.deploy
def test_prometheus_understands_what_is_proposed_to_watch_from_outside(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (DEPLOY / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    scrapes, rules = map(yaml.safe_load, blocks)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "outside", "rules": rules}]}))
    asked = {"rule_files": ["rules.yml"], "scrape_configs": scrapes}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(asked))
    run("promtool", "check", "config", "--lint-fatal", tmp_path / "prometheus.yml")
    (job,) = {each["job_name"] for each in scrapes}
    assert all(f'{{job="{job}"}}' in rule["expr"] for rule in rules)


@pytest.mark.deploy
def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(ASKED_BY_PANELS)
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run("promtool", "check", "rules", tmp_path / "rules.yml")


def _parts(kind: str) -> tuple[str, ...]:
    return PARTS_OF_A_HISTOGRAM if kind == "histogram" else ("",)


def _values(label: str) -> set[str]:
    """Return the values that are asked for of a label."""
    matches = [match for text in ASKED for match in re.findall(rf'\b{label}[!=][=~]?"([^"]+)"', text)]
    return {value for match in matches for value in match.split("|")}


def _is_address(name: str) -> bool:
    return bool(get_resolver().reverse_dict.getlist(name))


def _squares(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    return [(column, row) for column in range(x, x + w) for row in range(y, y + h)]
