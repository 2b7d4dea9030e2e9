"""A page that exists is never reported as a failure, whatever becomes of Notion's answers."""

from typing import Any

import pytest

from tests.support.installation import Installation

from .conftest import REAL_N8N, OnAir, Scene
from .deliveries import deliver, payload
from .notion import Database, Fate
from .workflows import PLAIN, READING, node, shipped

pytestmark = REAL_N8N

CREATING = ("POST", "/v1/pages")
TRIES = 5  # of a node that asks Notion, 5 s apart
CREATIONS = 4


def looking(database: Database) -> tuple[str, str]:
    return "POST", f"/v1/data_sources/{database.source_id}/query"


def impatient(name: str) -> dict[str, Any]:
    """Return a workflow that looks again after a second, each time, and whose nodes try again at once."""
    workflow = shipped(name)
    node(workflow, "Wait for Notion")["parameters"]["amount"] = 1
    for each in workflow["nodes"]:
        if each.get("retryOnFail"):
            each["waitBetweenTries"] = 1
    return workflow


def deliver_to(scene: Scene, service: Installation, database: Database, number: int) -> tuple[str, dict[str, Any]]:
    """Deliver a receipt by hand, and return its job's id and its execution once that has ended."""
    job_id = service.upload(number, database_id=database.id).json()["job_id"]
    answer = deliver(scene.webhook, payload(service.url, job_id, number, notion_database_id=database.id))
    return job_id, scene.n8n.wait_for_end(answer.json()["execution_id"])


@pytest.mark.parametrize(("name", "looks"), [(PLAIN, 1), (READING, 2)])
def test_a_page_is_found_although_looking_for_it_was_answered_by_errors_too(
    on_air: OnAir, name: str, looks: int
) -> None:
    scene = on_air(name)
    database = scene.notion.share()
    scene.notion.destine(*CREATING, Fate.LOST)
    scene.notion.destine(*looking(database), *[Fate.ANSWERED] * looks, *[Fate.AWAY] * TRIES)
    job = scene.file(len(name), database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])


def test_a_page_that_the_last_try_made_is_found(scene: Scene) -> None:
    scene.put_on_air(impatient(PLAIN))
    database = scene.notion.share()
    scene.notion.destine(*CREATING, *[Fate.AWAY] * (CREATIONS - 1), Fate.LOST)
    job = scene.file(702, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])


def test_a_later_refusal_is_a_failure_once_no_page_was_found(scene: Scene) -> None:
    scene.put_on_air(impatient(PLAIN))
    database = scene.notion.share()
    scene.notion.destine(*CREATING, Fate.AWAY, Fate.INVALID)
    job = scene.file(703, database)
    message = "N8N: error in node 'End: Notion made no page': Notion made no page, and has none of this job:"
    assert (job["status"], database.pages) == ("failure", [])
    assert job["result_message"].startswith(message)
    assert "body failed validation" in job["result_message"]


def test_what_nobody_can_tell_is_not_reported(scene: Scene, unattended: Installation) -> None:
    hopeless = impatient(PLAIN)
    [again] = node(hopeless, "Is it worth looking again?")["parameters"]["conditions"]["conditions"]
    again["leftValue"] = "={{ $runIndex < 1 }}"  # not for a day
    scene.put_on_air(hopeless)
    database = scene.notion.share()
    scene.notion.destine(*CREATING, Fate.LOST)
    scene.notion.destine(*looking(database), Fate.ANSWERED, *[Fate.AWAY] * 2 * TRIES)
    job_id, execution = deliver_to(scene, unattended, database, 704)
    assert len(database.pages) == 1
    assert (execution["status"], execution["data"]["resultData"]["lastNodeExecuted"]) == (
        "success",
        "End: it may be there, so nothing is reported",
    )
    assert unattended.job(job_id)["status"] == "queued"


@pytest.mark.parametrize(
    "fates",
    [
        [Fate.DONE_AND_A_PAGE],
        [Fate.DONE_AND_BRACES],
        [Fate.DONE_AND_NOTHING],
        [Fate.DONE_AND_A_LIST],
        [Fate.A_PAGE, Fate.BRACES, Fate.NOTHING],
    ],
)
def test_a_page_that_somebody_else_answered_for_is_looked_for_and_made_once(scene: Scene, fates: list[Fate]) -> None:
    scene.put_on_air(impatient(PLAIN))
    database = scene.notion.share()
    scene.notion.destine(*CREATING, *fates)
    job = scene.file(705, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])


def test_where_somebody_else_answers_each_time_the_job_says_so(scene: Scene) -> None:
    scene.put_on_air(impatient(PLAIN))
    database = scene.notion.share()
    scene.notion.destine(*CREATING, *[Fate.A_PAGE] * CREATIONS)
    job = scene.file(706, database)
    assert (job["status"], job["failure_code"], database.pages) == ("failure", "notion_unavailable", [])
    assert job["result_message"].endswith("What answered was not Notion, but perhaps a proxy on the way there.")


@pytest.mark.parametrize(("name", "looks"), [(PLAIN, 1), (READING, 2)])
def test_an_answer_of_somebody_elses_is_no_word_that_there_is_no_page(scene: Scene, name: str, looks: int) -> None:
    scene.put_on_air(impatient(name))
    database = scene.notion.share()
    scene.notion.destine(*CREATING, Fate.LOST)
    others = [Fate.BRACES, Fate.NOTHING, Fate.A_LIST, Fate.NULL, *[Fate.A_PAGE] * TRIES]
    scene.notion.destine(*looking(database), *[Fate.ANSWERED] * looks, *others)
    job = scene.file(706 + looks, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])


@pytest.mark.parametrize(
    ("fate", "code"),
    [
        (Fate.A_PAGE, "service_unavailable"),
        (Fate.BRACES, "notion_unavailable"),
        (Fate.A_LIST, "notion_unavailable"),
        (Fate.NULL, "notion_unavailable"),
    ],
)
def test_no_page_is_made_where_somebody_else_answers_whether_there_is_one(scene: Scene, fate: Fate, code: str) -> None:
    scene.put_on_air(impatient(PLAIN))
    database = scene.notion.share()
    scene.notion.destine(*looking(database), *[fate] * TRIES)
    job = scene.file(709, database)
    assert (job["status"], job["failure_code"], database.pages) == ("failure", code, [])


@pytest.mark.parametrize("fate", [Fate.BRACES, Fate.A_LIST])
@pytest.mark.parametrize(
    "call",
    [
        "GET /v1/databases/{id}",
        "GET /v1/data_sources/{source_id}",
        "PATCH /v1/data_sources/{source_id}",
        "POST /v1/file_uploads",
    ],
)
def test_whatever_else_somebody_else_answers_makes_no_page(scene: Scene, call: str, fate: Fate) -> None:
    scene.put_on_air(impatient(PLAIN))
    database = scene.notion.share()
    method, path = call.format(**vars(database)).split()
    scene.notion.destine(method, path, fate)
    job = scene.file(710, database)
    assert (job["status"], database.pages) == ("failure", [])
