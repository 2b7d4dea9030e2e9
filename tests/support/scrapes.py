"""What `/metrics` tells, as Prometheus would read it."""

from collections.abc import Iterable
from typing import Any

from django.test import Client as Browser
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from .servers import made_up

TOKEN = made_up("metrics token")
Samples = dict[str, float]


def ask(token: str = TOKEN, **headers: str) -> Any:
    """Ask as Prometheus does."""
    return Browser().get("/metrics", headers={"Authorization": f"Bearer {token}", **headers})


def scrape() -> Samples:
    """Return what is told, by name and labels, such as `receipts_open_jobs{status="queued"}`."""
    answer = ask()
    assert answer.status_code == 200
    return samples_of(text_string_to_metric_families(answer.content.decode()))


def samples_of(families: Iterable[Metric]) -> Samples:
    """Return samples by name and labels, the labels in the order of their names."""
    found = {}
    for sample in (sample for family in families for sample in family.samples):
        labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
        key = f"{sample.name}{{{labels}}}" if labels else sample.name
        assert key not in found
        found[key] = sample.value
    return found


def added(before: Samples, after: Samples) -> Samples:
    """Return by how much what is told of that has grown, where it has."""
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    return {name: by for name, by in grown.items() if by}
