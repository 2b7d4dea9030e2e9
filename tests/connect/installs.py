"""Installing the workflows into a stand-in for N8N, and how they stand there then."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import LazySettings

from jobs.connect.installing import install
from jobs.connect.remote import RemoteWorkflow, remote_workflows
from jobs.connect.workflows import PURPOSES, workflow
from jobs.n8n_api import PublicApi
from tests.support.stub_n8n import KEY, StubN8N, stub_n8n

TRY, PLAIN, AI = "try-the-connection", "receipt-to-notion-without-ai", "receipt-to-notion"
NAMES = {slug: workflow(slug).name for slug in PURPOSES}
WEBHOOK, TOKEN, SECRET = "Receipts: webhook", "Receipts: callback token", "Receipts: webhook secret"


@contextmanager
def set_n8n(settings: LazySettings) -> Iterator[StubN8N]:
    """Run an N8N that holds nothing yet, and that the settings name, with the key of its public API."""
    with stub_n8n() as n8n:
        settings.N8N_BASE_URL, settings.N8N_PUBLIC_API_KEY = n8n.url, KEY
        settings.N8N_WEBHOOK_URL = f"{n8n.url}/webhook/receipts"
        yield n8n


def api_of(n8n: StubN8N) -> PublicApi:
    """Return its public API."""
    return PublicApi(base_url=n8n.url, key=KEY)


def run_install(api: PublicApi, activate: str = TRY, replace: tuple[str, ...] = ()) -> str:
    """Install, and return what was said."""
    return " ".join(step.sentence for step in install(api, activate=activate, replace=replace))


def remote_workflow(api: PublicApi, slug: str) -> RemoteWorkflow:
    """Return how one of ours stands."""
    return next(each for each in remote_workflows(api) if each.workflow.slug == slug)


def with_notion(n8n: StubN8N) -> None:
    """Give N8N the credential without which no workflow that files in Notion is activated."""
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")


def edit_credential(n8n: StubN8N, slug: str, credential_id: str | None) -> None:
    """Choose another Notion credential, or none, in all nodes of a workflow, and do not publish that."""
    row = n8n.named(NAMES[slug])
    for node in row["nodes"]:
        if "notionApi" in node.get("credentials", {}):
            node["credentials"]["notionApi"]["id"] = credential_id
    row["versionId"] = "a-draft"


def changing_calls(n8n: StubN8N) -> list[str]:
    """Return what N8N was asked to change since the last time."""
    calls = [call for call in n8n.calls if not call.startswith("GET") and "/webhook/" not in call]
    n8n.calls.clear()
    return calls
