"""The admin's page connects an N8N that holds nothing: whoever follows it pastes no secret, and imports no file."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import requests
from django.conf import LazySettings

from jobs.connect.activation import let_take_receipts
from jobs.n8n_api import ApiError, PublicApi
from tests.browser.filling import fill_with
from tests.browser.scene import PASSWORD
from tests.support.installation import Installation, wait_for
from tests.support.stub_server import ca_bundle

from .conftest import UNHURRIED
from .notion import Notion
from .outside import outside
from .server import N8N
from .workflows import FILING, NOTION_KEY, PLAIN, TRYING, node, shipped

# the first to run starts an N8N of its own, whose first start takes a minute
pytestmark = [pytest.mark.n8n, pytest.mark.processes, pytest.mark.timeout(300)]

CONNECT = "/admin/connect/"


class Administrator:
    """Somebody at the page, without script."""

    def __init__(self, service: Installation) -> None:
        self._url = service.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._send("/admin/login/", "/admin/login/", username="ada", password=PASSWORD)

    def install(self, activate: str) -> str:
        """Press the button, and return what the page says then."""
        return self._send(CONNECT, f"{CONNECT}install/", activate=activate)

    def test(self) -> str:
        """Press the other one, and return what the page says once it is settled."""
        self._send(CONNECT, f"{CONNECT}test/")
        return str(wait_for(self._verdict, "the test's end"))

    def _verdict(self) -> str:
        found = re.search(r'class="verdict verdict-(?:good|bad)[^>]*>(.*?)<', self._page(CONNECT))
        return unescape(found[1]) if found else ""

    def _page(self, path: str) -> str:
        answer = self._session.get(self._url + path, timeout=30)
        assert answer.status_code == 200
        return answer.text

    def _send(self, page: str, path: str, **form: str) -> str:
        found = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', self._page(page))
        assert found is not None
        headers = {"Referer": self._url + page}
        answer = self._session.post(
            self._url + path, data=form | {"csrfmiddlewaretoken": found[1]}, headers=headers, timeout=60
        )
        assert answer.status_code == 200
        return re.sub(r"\s+", " ", unescape(answer.text))


@pytest.fixture(scope="module")
def notion() -> Notion:
    return Notion(NOTION_KEY)


@pytest.fixture(scope="module")
def n8n(notion: Notion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8N]:
    """Return an N8N that holds nothing."""
    folder = tmp_path_factory.mktemp("empty-n8n")
    with (
        outside({"api.notion.com": notion}) as proxy,
        N8N(folder, HTTPS_PROXY=proxy.url, NO_PROXY="127.0.0.1", NODE_EXTRA_CA_CERTS=ca_bundle(folder)) as n8n,
    ):
        n8n.start()
        yield n8n


@pytest.fixture(scope="module")
def service(n8n: N8N, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation that knows N8N's address and a key of its public API."""
    own = {"N8N_BASE_URL": n8n.url, "N8N_PUBLIC_API_KEY": n8n.api_key, **UNHURRIED}
    with Installation(tmp_path_factory.mktemp("connecting"), f"{n8n.url}/webhook/receipts", **own) as service:
        fill_with(service, "people")
        service.start_all()
        yield service


@pytest.fixture(scope="module")
def ada(service: Installation) -> Administrator:
    return Administrator(service)


def everything(n8n: N8N) -> list[Any]:
    """Return what N8N holds of workflows and credentials: which, in what version, and whether active."""
    workflows = n8n.api("GET", "/workflows")["data"]
    credentials = n8n.api("GET", "/credentials")["data"]
    return [
        sorted((each["id"], each["name"], each["versionId"], each["active"]) for each in workflows),
        sorted((each["id"], each["name"]) for each in credentials),
    ]


def test_one_button_installs_and_another_shows_that_it_works(n8n: N8N, ada: Administrator) -> None:
    page = ada.install(TRYING)
    assert "The webhook answers." in page
    workflows, credentials = everything(n8n)
    assert {"Receipts: webhook", "Receipts: callback token"} <= {name for _, name in credentials}
    assert [is_active for *_, is_active in workflows].count(True) == 2
    assert ada.test().startswith("It works: to N8N and back in ")


def test_pressed_again_it_makes_nothing_twice(n8n: N8N, ada: Administrator) -> None:
    ada.install(TRYING)
    before = everything(n8n)
    ada.install(TRYING)
    assert everything(n8n) == before


def test_with_a_credential_of_notion_receipts_are_filed(
    n8n: N8N, service: Installation, notion: Notion, ada: Administrator
) -> None:
    assert "Receipts: to Notion, without AI</a>: Notion" in ada.install(TRYING)
    made = {"name": "Our Notion", "type": "notionApi", "data": {"apiKey": NOTION_KEY}}
    n8n.api("POST", "/credentials", made)
    page = ada.install(PLAIN)
    assert "Completed “Receipts: to Notion, without AI”." in page
    assert "The webhook answers." in page
    database = notion.share()
    job_id = service.upload(301, database_id=database.id).json()["job_id"]
    job = service.wait_for_status(job_id, "success", "failure")
    assert (job["status"], job["notion_page_url"]) == ("success", database.pages[0]["url"])
    assert ada.test().startswith("It works: to N8N and back in ")


@pytest.mark.parametrize("name", FILING)
def test_without_signatures_a_workflow_is_published_that_has_no_secret_to_sign_with(n8n: N8N, name: str) -> None:
    workflow = {key: value for key, value in shipped(name).items() if key in ("name", "nodes", "connections")}
    made = {"name": "Any", "type": "openAiApi", "data": {"apiKey": "x", "url": "https://api.openai.com/v1"}}
    model = n8n.api("POST", "/credentials", made)
    for each in workflow["nodes"]:
        if "openAiApi" in each.pop("credentials", {}):
            each["credentials"] = {"openAiApi": {"id": model["id"], "name": model["name"]}}
    node(workflow, "Receipt")["parameters"] |= {"path": f"unsigned/{name}", "authentication": "none"}
    created = n8n.api("POST", "/workflows", {**workflow, "name": f"Unsigned: {name}", "settings": {}})
    assert n8n.api("POST", f"/workflows/{created['id']}/activate")["active"] is True
    n8n.api("POST", f"/workflows/{created['id']}/deactivate")


def test_a_deleted_credential_is_made_anew_and_chosen(n8n: N8N, ada: Administrator) -> None:
    ada.install(TRYING)
    former = credential_of(n8n, "Receipts: webhook")
    n8n.api("DELETE", f"/credentials/{former}")
    assert "Completed “Receipts: to Notion, without AI”." in ada.install(TRYING)
    present = credential_of(n8n, "Receipts: webhook")
    [plain] = n8n.api("GET", "/workflows", name="Receipts: to Notion, without AI")["data"]
    assert node(plain, "Receipt")["credentials"]["httpHeaderAuth"]["id"] == present != former


def test_a_workflow_of_somebodys_own_at_the_same_path_is_named(n8n: N8N, ada: Administrator) -> None:
    for each in n8n.api("GET", "/workflows")["data"]:
        n8n.api("POST", f"/workflows/{each['id']}/deactivate")
    wait_for(lambda: not n8n.listens_at("receipts"), "the webhook to go")
    mine = {key: value for key, value in shipped(TRYING).items() if key in ("nodes", "connections")}
    created = n8n.api("POST", "/workflows", {**mine, "name": "My own", "settings": {}})
    n8n.api("POST", f"/workflows/{created['id']}/activate")
    page = ada.install(TRYING)
    n8n.api("POST", f"/workflows/{created['id']}/deactivate")  # the other tests want the path
    wait_for(lambda: not n8n.listens_at("receipts"), "the webhook to go")
    assert "Unpublish “My own” in N8N" in page
    assert "Receipts go to “My own”" in page


def test_a_key_that_may_not_activate_takes_nothing_off_the_air(
    n8n: N8N, ada: Administrator, settings: LazySettings
) -> None:
    ada.install(TRYING)
    ids = {each["name"]: each["id"] for each in n8n.api("GET", "/workflows")["data"]}
    n8n.deactivate(ids[shipped(TRYING)["name"]])
    wait_for(lambda: not n8n.listens_at("receipts"), "the webhook to go")
    n8n.api("POST", f"/workflows/{ids[shipped(PLAIN)['name']]}/activate")
    before = everything(n8n)
    settings.N8N_WEBHOOK_URL = f"{n8n.url}/webhook/receipts"
    with pytest.raises(ApiError, match="403: Forbidden"):
        list(let_take_receipts(PublicApi(base_url=n8n.url, key=n8n.make_key(without="workflow:activate")), TRYING))
    assert everything(n8n) == before
    assert n8n.listens_at("receipts")


def test_what_is_active_is_activated_again_without_a_change(n8n: N8N, ada: Administrator) -> None:
    ada.install(TRYING)
    before = everything(n8n)
    [trying] = n8n.api("GET", "/workflows", name=shipped(TRYING)["name"])["data"]
    n8n.api("POST", f"/workflows/{trying['id']}/activate", {"versionId": trying["activeVersionId"]})
    assert everything(n8n) == before
    assert n8n.listens_at("receipts")


def credential_of(n8n: N8N, name: str) -> str:
    """Return the id of the one credential of that name."""
    [found] = (each["id"] for each in n8n.api("GET", "/credentials")["data"] if each["name"] == name)
    return str(found)
