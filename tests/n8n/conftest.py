"""One N8N and one installation for all tests; each test says which workflow is on the air."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.installation import Installation, wait_for
from tests.support.stub_server import ca_bundle

from . import installing, workflows
from .notion import Database, Notion
from .openai import OpenAi
from .outside import Proxy, outside
from .server import EXECUTION_SECONDS, N8N

OnAir = Callable[..., "Scene"]

# the first test's time includes the start of N8N, which may take two minutes on a busy machine
REAL_N8N = [pytest.mark.n8n, pytest.mark.processes, pytest.mark.timeout(420)]
UNHURRIED = {"N8N_DEADLINE_SECONDS": "20", "CALLBACK_TIMEOUT_SECONDS": "120"}


@dataclass
class Scene:
    """N8N and the service, connected, and who N8N knows outside."""

    n8n: N8N
    service: Installation
    notion: Notion
    model: OpenAi
    proxy: Proxy

    @property
    def webhook(self) -> str:
        """The production address of the workflows' webhook."""
        return f"{self.n8n.url}/webhook/receipts"

    def put_on_air(self, workflow: dict[str, Any]) -> None:
        """Let this workflow alone take receipts: they share one address."""
        self.clear_air()
        self.n8n.publish(workflow)
        wait_for(lambda: self.n8n.listens_at("receipts"), "the webhook")

    def clear_air(self) -> None:
        """Let no workflow take receipts.

        N8N takes a webhook away some time after it said so. Who asks for the same address meanwhile is refused, and
        refused for ever after.
        """
        for name in workflows.RECEIVING:
            self.n8n.deactivate(workflows.workflow_id(name))
        wait_for(lambda: not self.n8n.listens_at("receipts"), "the webhook to go")

    def file(self, number: int, database: Database) -> dict[str, Any]:
        """Upload a receipt and return its job once it has ended."""
        return end_of(self.service, self.service.upload(number, database_id=database.id).json()["job_id"])


def end_of(service: Installation, job_id: str) -> dict[str, Any]:
    """Wait until a job has ended, through N8N, and return it."""
    return service.wait_for_status(job_id, "success", "failure", seconds=EXECUTION_SECONDS)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return an N8N into which everything was imported, and an installation that runs whole."""
    if not installing.is_installed():
        pytest.fail(f"There is no N8N in {installing.folder()}: make test-n8n installs it, N8N_FOLDER names another.")
    folder = tmp_path_factory.mktemp("n8n")
    notion, model = Notion(workflows.NOTION_KEY), OpenAi(workflows.MODEL_KEY)
    with (
        outside({"api.notion.com": notion, "api.openai.com": model}) as proxy,
        N8N(folder / "n8n", HTTPS_PROXY=proxy.url, NO_PROXY="127.0.0.1", NODE_EXTRA_CA_CERTS=ca_bundle(folder)) as n8n,
        Installation(tmp_path_factory.mktemp("installation"), f"{n8n.url}/webhook/receipts", **UNHURRIED) as service,
    ):
        n8n.import_credentials(workflows.credentials())
        n8n.import_workflows(workflows.FOLDER)
        n8n.start()
        n8n.publish(workflows.with_settings(workflows.FAILURES, service_url=service.url))
        service.start_all()
        yield Scene(n8n, service, notion, model, proxy)


@pytest.fixture(scope="session")
def unattended(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation without a worker: tests deliver its jobs themselves."""
    with Installation(tmp_path_factory.mktemp("unattended"), scene.webhook, **UNHURRIED) as service:
        service.start_web()
        yield service


@pytest.fixture
def on_air(scene: Scene) -> OnAir:
    """Return a function that lets one workflow take receipts, with other settings if asked, and returns the scene."""

    def put(name: str, **choices: object) -> Scene:
        scene.put_on_air(workflows.with_settings(name, **choices) if choices else workflows.shipped(name))
        return scene

    return put
