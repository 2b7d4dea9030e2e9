"""Metrics of several web processes: the same of the installation, each its own of itself."""

from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.installation import SWEEP, WEB, Installation, is_up, wait_for
from tests.support.scrapes import TOKEN, Samples, samples_of
from tests.support.servers import free_port

pytestmark = pytest.mark.processes

OWN = ("receipts_http", "receipts_throttled", "receipts_callbacks")
RECEIVED = 'receipts_transitions_total{kind="received",source="api"}'
UPLOADED = 'receipts_http_request_seconds_count{method="POST",status="2xx",view="receipt-upload"}'


def test_any_web_process_tells_of_all_jobs_and_each_of_its_own_requests(tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/", METRICS_TOKEN=TOKEN) as site:
        site.start(*SWEEP)
        wait_for(lambda: site.query("SELECT 1 FROM jobs_eventtotals"), "the sweep's first pass")
        site.start_web()
        beside = free_port()
        site.start(*WEB, str(beside))
        wait_for(lambda: is_up(f"http://127.0.0.1:{beside}"), "the other web process")
        for number in range(3):
            site.upload(number).raise_for_status()
        one, other = _scrape(site.port), _scrape(beside)
    assert (one[RECEIVED], other[RECEIVED]) == (3, 3)
    assert (one[UPLOADED], other.get(UPLOADED)) == (3, None)
    assert {name for name in one if not name.startswith(OWN)} == {name for name in other if not name.startswith(OWN)}


def _scrape(port: int) -> Samples:
    answer = requests.get(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
    answer.raise_for_status()
    return samples_of(text_string_to_metric_families(answer.text))
