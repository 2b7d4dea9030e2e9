"""Installing from the page "Connect N8N": what was done is told and written down, and so is what stops it."""

import time

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser
from redis import Redis

from jobs.causes import cause_of_failure
from jobs.connect import page, staff_install
from jobs.connect.workflows import REPORTER, workflow
from jobs.diagnosis import diagnose
from tests.support.outages import closed_port
from tests.support.staff import staff, words_of
from tests.support.stub_n8n import StubN8N

from .connect_page import CONNECT, install, page_text
from .installs import AI, NAMES, PLAIN, TRY, edit_credential, with_notion

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_installing_is_told_and_written_down(administrator: Browser, n8n: StubN8N) -> None:
    text = install(administrator)
    assert f"Created “{NAMES[AI]}”." in text
    assert "The webhook answers." in text
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_repr) == ("ada", "N8N")
    assert f"Activated “{NAMES[TRY]}”." in entry.change_message
    assert "ada" in words_of(staff("admin.view_logentry", name="lena").get("/admin/"))


def test_what_to_do_about_receipts_that_came_before_one_that_files_them_is_said(
    administrator: Browser, n8n: StubN8N
) -> None:
    assert "choose another, then retry what failed" not in page_text(administrator)
    assert "choose another, then retry what failed" in install(administrator, TRY)
    [said] = (node for node in workflow(TRY).content["nodes"] if node["name"] == "Say that nothing was filed")
    message = said["parameters"]["assignments"]["assignments"][1]["value"]
    assert "files nothing: switch on one that does, then retry" in message
    assert "let another take receipts, then retry" in cause_of_failure(diagnose(message)).cure


def test_what_must_be_chosen_before_it_takes_receipts_is_said(administrator: Browser, n8n: StubN8N) -> None:
    install(administrator)
    text = install(administrator, activate=AI)
    assert f"“{NAMES[AI]}” does not take receipts yet: open it in N8N, choose a credential of Notion and OpenAI" in text
    assert f"{NAMES[TRY]} takes receipts" in text
    assert f"{NAMES[AI]} installed" in text


def test_one_that_differs_is_replaced_only_if_that_was_ticked(
    administrator: Browser, n8n: StubN8N, settings: LazySettings
) -> None:
    install(administrator)
    settings.N8N_WEBHOOK_SECRET = []
    assert page_text(administrator).count("differs from this version") == 2
    assert f"Left “{NAMES[AI]}” as it is" in install(administrator)
    assert f"Replaced “{NAMES[AI]}”" in install(administrator, replace=[AI])
    assert page_text(administrator).count("differs from this version") == 1


def test_a_choice_that_failed_is_kept_and_the_former_one_said_to_take_receipts(
    administrator: Browser, n8n: StubN8N
) -> None:
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    install(administrator)
    key = n8n.named(NAMES[PLAIN])["id"]
    n8n.refuses = lambda call: call == f"POST /api/v1/workflows/{key}/activate"
    page = administrator.post(f"{CONNECT}install/", {"activate": PLAIN}, follow=True)
    assert f'value="{PLAIN}" checked' in page.content.decode()
    assert f"“{NAMES[TRY]}” takes receipts again, as before." in words_of(page)
    assert "takes receipts again, as before." in LogEntry.objects.order_by("-pk")[0].change_message
    n8n.refuses = lambda call: False
    page = administrator.post(f"{CONNECT}install/", {"activate": PLAIN}, follow=True)
    assert page.redirect_chain == [(CONNECT, 302)]
    assert f'value="{PLAIN}" checked' in page.content.decode()


def test_that_somebody_elses_workflow_takes_the_receipts_is_said(
    viewer: Browser, administrator: Browser, n8n: StubN8N
) -> None:
    n8n.add_workflow({**workflow(TRY).content, "name": "Somebody's own"})
    n8n.publish("Somebody's own")
    assert "Receipts go to “Somebody's own”, which is none of these" in page_text(viewer)
    text = install(administrator)
    assert "Unpublish “Somebody's own” in N8N" in text
    assert "Receipts go to “Somebody's own”" in text


def test_one_that_is_active_and_listens_elsewhere_is_not_said_to_take_receipts(
    administrator: Browser, n8n: StubN8N
) -> None:
    assert "takes receipts" in install(administrator)
    n8n.node(NAMES[TRY], "Receipt")["parameters"]["path"] = "elsewhere"
    n8n.publish(NAMES[TRY])
    page = words_of(answer := administrator.get(CONNECT))
    assert "listens elsewhere Answers and calls back." in page
    assert "It is active, and gets no receipts: its Webhook node has another path" in page
    assert f'name="replace" value="{TRY}"' in answer.content.decode()
    assert not answer.context["are_in_place"]
    assert "The webhook answers." in install(administrator, replace=[TRY])


def test_that_changes_are_not_published_is_said(administrator: Browser, n8n: StubN8N) -> None:
    assert "takes receipts changes not published" not in install(administrator)
    n8n.named(NAMES[TRY])["versionId"] = "a-draft"
    assert "takes receipts changes not published" in page_text(administrator)
    assert page_text(administrator).count("changes not published") == 1


def test_that_a_credential_is_chosen_but_not_published_is_said(administrator: Browser, n8n: StubN8N) -> None:
    with_notion(n8n)
    install(administrator, activate=PLAIN)
    n8n.credentials = {key: row for key, row in n8n.credentials.items() if row["type"] != "notionApi"}
    edit_credential(n8n, PLAIN, n8n.add_credential("notionApi", "Another", apiKey="x"))
    text = page_text(administrator)
    assert f"{NAMES[PLAIN]} : Notion (chosen, but not published: publish it)" in text
    assert "All are chosen." not in text


@pytest.mark.parametrize("chosen", ["", "one-that-is-gone"])
def test_that_nobody_is_called_when_it_fails_is_said(administrator: Browser, n8n: StubN8N, chosen: str) -> None:
    assert "error workflow, or one that is gone" not in install(administrator)
    n8n.named(NAMES[TRY])["settings"]["errorWorkflow"] = chosen
    assert f"“{NAMES[TRY]}” has no error workflow, or one that is gone" in page_text(administrator)
    assert "error workflow, or one that is gone" not in install(administrator)


def test_several_of_a_name_are_told(administrator: Browser, n8n: StubN8N) -> None:
    install(administrator)
    n8n.add_workflow(workflow(AI).content)
    assert "N8N holds 2 of this name" in page_text(administrator)
    assert "rename or archive all but one" in install(administrator)


def test_of_several_that_which_takes_receipts_is_shown_and_to_be_kept(administrator: Browser, n8n: StubN8N) -> None:
    install(administrator)
    key = n8n.named(NAMES[TRY])["id"]
    n8n.add_workflow(workflow(TRY).content)
    n8n.workflows = dict(reversed(n8n.workflows.items()))  # N8N lists the newest first
    page = words_of(answer := administrator.get(CONNECT))
    assert "takes receipts several" in page
    assert "N8N holds 2 of this name: rename or archive all but that which is active." in page
    assert f"{n8n.url}/workflow/{key}" in answer.content.decode()
    assert not answer.context["are_in_place"]
    assert "all but that which is active" in install(administrator)


@pytest.mark.parametrize(
    "form", [{"activate": "nothing-of-ours"}, {"activate": REPORTER}, {"activate": TRY, "replace": ["../x"]}]
)
def test_there_is_no_other_workflow_to_install(administrator: Browser, n8n: StubN8N, form: dict[str, object]) -> None:
    assert administrator.post(f"{CONNECT}install/", form).status_code == 404
    assert n8n.workflows == {}


# -- what stops it


def test_what_stops_it_is_told_with_a_cure_and_what_was_done_is_written_down(
    administrator: Browser, n8n: StubN8N
) -> None:
    n8n.refuses = lambda call: call == "POST /api/v1/workflows"
    text = install(administrator)
    assert "N8N's API answered 500" in text
    assert "To install again goes on from here." in text
    assert "Made the credential" in LogEntry.objects.get().change_message


def test_without_its_settings_nothing_is_installed(administrator: Browser) -> None:
    assert "Set N8N_BASE_URL and N8N_PUBLIC_API_KEY" in install(administrator)


def test_an_n8n_that_is_slow_at_each_step_keeps_nobody_long_and_is_gone_on_with(
    administrator: Browser, n8n: StubN8N, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_install, "IN_ALL_SECONDS", 1.5)
    n8n.takes = 0.4  # each step is in time
    started = time.monotonic()
    text = install(administrator, TRY)
    assert time.monotonic() - started < 1.5 + page.PATIENCE_SECONDS + 1
    assert "N8N took too long for all that it was asked for." in text
    assert "To install again goes on from here." in text
    assert n8n.active() == set()
    monkeypatch.undo()
    n8n.takes = 0.0
    assert "The webhook answers." in install(administrator, TRY)


def test_where_the_time_is_over_in_mid_change_the_former_one_takes_receipts_again(
    administrator: Browser, n8n: StubN8N, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overcome(call: str) -> bool:
        """Grow slow once the former one is off."""
        n8n.takes = 2.0 if call.endswith("/deactivate") else n8n.takes
        return False

    n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    install(administrator, TRY)
    monkeypatch.setattr(staff_install, "IN_ALL_SECONDS", 1.5)
    n8n.refuses = overcome
    text = install(administrator, PLAIN)
    assert "N8N took too long for all that it was asked for." in text
    assert f"“{NAMES[TRY]}” takes receipts again, as before." in text
    assert n8n.active() == {NAMES[TRY], NAMES[REPORTER]}


def test_two_do_not_install_at_once(administrator: Browser, n8n: StubN8N, redis: "Redis") -> None:
    with redis.lock(staff_install.LOCK, timeout=60):
        assert "somebody is installing just now" in install(administrator)
    assert n8n.workflows == {}
    install(administrator)
    assert len(n8n.workflows) == 4
    assert not redis.exists(staff_install.LOCK)


def test_without_redis_nothing_is_installed(administrator: Browser, n8n: StubN8N, settings: LazySettings) -> None:
    with closed_port() as port:
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        assert "Redis is away" in install(administrator)
    assert n8n.workflows == {}


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("GET /api/v1/credentials", {"data": [{"type": "crypto"}], "nextCursor": None}),
        ("GET /api/v1/credentials/schema/httpHeaderAuth", None),
        ("GET /api/v1/credentials/schema/httpHeaderAuth", {"properties": None}),
        ("POST /api/v1/credentials", {}),
        ("POST /api/v1/workflows", None),
        ("POST /api/v1/workflows", {"name": "Receipts"}),
    ],
)
def test_an_answer_that_n8n_never_gives_stops_it_with_a_cure(
    administrator: Browser, n8n: StubN8N, call: str, answer: object
) -> None:
    n8n.instead[call] = answer
    text = install(administrator)
    assert "See that N8N_BASE_URL is the address of N8N's editor" in text
    assert "To install again goes on from here." in text
    assert ("Made the credential" in text) == (call == "POST /api/v1/workflows")


def test_credentials_of_no_kind_are_nobodys_to_choose(administrator: Browser, n8n: StubN8N) -> None:
    n8n.instead["GET /api/v1/credentials"] = {"data": [{"id": "1", "name": "Receipts: webhook"}], "nextCursor": None}
    assert "Made the credential “Receipts: webhook”." in install(administrator)
