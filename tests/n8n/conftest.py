"""One N8N and one installation for all tests; each test says which workflow is on the air."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.installation import Installation

from tests.stub_server import ca_bundle

from . import installing, workflows
from .notion import Notion
from .openai import OpenAi
from .outside import Proxy, outside
from .server import N8N

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

    def put_on_air(self, name: str) -> None:
        """Let this workflow alone take receipts: they share one address."""
        for other in workflows.RECEIVING:
            if other != name:
                self.n8n.deactivate(workflows.workflow_id(other))
        self.n8n.activate(workflows.workflow_id(name))


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
        n8n.import_workflows(workflows.fill_in(name, folder, service_url=service.url) for name in workflows.NAMES)
        n8n.start()
        n8n.activate(workflows.workflow_id(workflows.FAILURES))
        service.start_all()
        yield Scene(n8n, service, notion, model, proxy)


@pytest.fixture
def on_air(scene: Scene) -> Callable[[str], Scene]:
    """Return a function that puts a workflow on the air and returns the scene."""

    def put(name: str) -> Scene:
        scene.put_on_air(name)
        return scene

    return put
