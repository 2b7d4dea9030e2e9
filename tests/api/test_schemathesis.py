"""The API against its own OpenAPI document, as schemathesis reads it: no 5xx, and no answer that is not in it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation
from tests.support.servers import SETTINGS

pytestmark = [pytest.mark.processes, pytest.mark.faults, pytest.mark.timeout(600)]

PROGRAM = Path(sys.executable).with_name("schemathesis")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
TOKEN = SETTINGS["CALLBACK_SECRET_TOKEN"].partition(",")[0]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """Return an installation with a web process."""
    with Installation(tmp_path, "http://127.0.0.1:9/webhook") as installation:
        installation.start_web()
        yield installation


@pytest.mark.parametrize(("known", "seed"), [(False, 1), (True, 2)], ids=["ids at random", "ids that there are"])
def test_a_thousand_made_up_requests_are_answered_as_documented(
    known: bool, seed: int, site: Installation, tmp_path: Path
) -> None:
    receipt = site.upload().json()
    ids = f'"path.id" = "{receipt["receipt_id"]}"\n"path.job_id" = "{receipt["job_id"]}"\n' if known else ""
    (tmp_path / "schemathesis.toml").write_text(f"[parameters]\n{ids}")

    run = subprocess.run(
        [
            PROGRAM, "run", f"{site.url}/api/v1/schema/", f"--checks={CHECKS}", f"--seed={seed}", "--max-examples=100",
            "--phases=coverage,fuzzing", "--no-shrink", "--continue-on-failure", "--no-color",
            f"--header=Authorization: Api-Key {site.key}", f"--header=X-Callback-Token: {TOKEN}",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout
    assert int(re.findall(r"(\d[\d,]*) generated", run.stdout)[-1].replace(",", "")) >= 1000
    assert "Internal Server Error" not in site.log()
