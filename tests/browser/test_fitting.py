"""What fits where it stands: on a phone, and in the card around it."""

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from receipts.sample import draw_receipt
from tests.factories import DATABASE_ID, SMALL
from tests.support.installation import Installation

from .chromium import DESK, PHONE, Visitor
from .conftest import Fill

pytestmark = pytest.mark.browser

JOBS = "/admin/jobs/joblog/"
WIDTH = "document.documentElement.scrollWidth"
FILLING = "element => getComputedStyle(element).backgroundColor"


@pytest.fixture(scope="module")
def jobs(fill: Fill) -> list[str]:
    """Return the ids of three jobs that have failed."""
    ids: list[str] = fill("failed")
    return ids


def width_of(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["width"]


def height_of(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["height"]


def ask_about(page: Page, job: str) -> None:
    """Choose a job in the list, and what is to be done with it."""
    page.goto(JOBS)
    page.locator(f"tr[data-key='{job}'] .action-select").check()
    page.get_by_label("Action:").select_option("retry_selected")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_label("Reason")).to_be_visible()


@pytest.mark.parametrize("query", ["", "?q=receipt"])
def test_one_sees_on_a_phone_what_one_searches_for(visitor: Visitor, jobs: list[str], query: str) -> None:
    page = visitor.open("oscar", viewport=PHONE)
    page.goto(f"{JOBS}{query}")
    assert width_of(page.locator("#searchbar")) > 200


def test_on_a_phone_the_button_stands_beside_the_field(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar", viewport=PHONE)
    page.goto(f"{JOBS}?q=receipt")
    field = page.locator("#searchbar").bounding_box()
    button = page.get_by_role("button", name="Search").bounding_box()
    assert field is not None
    assert button is not None
    assert abs(field["y"] - button["y"]) < 2


def test_a_phone_shows_how_three_jobs_stand_with_boxes_large_enough_for_a_finger(
    visitor: Visitor, jobs: list[str]
) -> None:
    page = visitor.open("oscar", viewport=PHONE)
    page.goto(f"{JOBS}?status__exact=failure")
    third = page.locator(".cell-status").nth(2).bounding_box()
    assert third is not None
    assert third["y"] + third["height"] <= PHONE["height"]
    box = page.locator(".action-select").first
    assert (width_of(box), height_of(box)) == (20, 20)


def test_what_one_can_search_for_is_one_line_until_one_asks_for_all_of_it(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar", viewport={"width": 360, "height": 740})
    page.goto(JOBS)
    in_full = page.get_by_text("X-Request-ID")
    expect(in_full).to_be_hidden()
    assert height_of(page.locator("#searchbar_helptext")) < 30
    page.locator("#searchbar_helptext summary").click()
    expect(in_full).to_be_visible()


def test_dates_and_export_are_folded_on_a_phone_only_and_not_where_dates_are_chosen(
    visitor: Visitor, jobs: list[str]
) -> None:
    page = visitor.open("oscar", viewport=PHONE)
    folded = [page.get_by_label("From", exact=True), page.get_by_role("button", name="Export as CSV")]
    fold = page.locator("summary", has_text="Dates, export")
    page.goto(JOBS)
    for one in folded:
        expect(one).to_be_hidden()
    fold.click()
    for one in folded:
        expect(one).to_be_visible()
    page.goto(f"{JOBS}?from=2026-01-01")
    expect(folded[0]).to_be_visible()
    page.set_viewport_size(DESK)
    page.goto(JOBS)
    expect(fold).to_be_hidden()
    for one in folded:
        expect(one).to_be_visible()


@pytest.mark.parametrize("words", ["Send now", "Cancel the job"])
def test_what_asks_for_a_reason_opens_below_the_buttons_which_stay_and_shows_what_is_written(
    visitor: Visitor, service: Installation, words: str
) -> None:
    job_id = service.upload(4714).json()["job_id"]
    page = visitor.open("oscar")
    page.goto(f"{JOBS}{job_id}/change/")
    buttons = [*page.locator(".verbs summary").all(), page.get_by_role("link", name="What staff did")]
    before = [button.bounding_box() for button in buttons]
    page.locator("summary", has_text=words).click()
    assert [button.bounding_box() for button in buttons] == before
    below, above = page.locator("input[name=reason]:visible").bounding_box(), before[0]
    assert below is not None
    assert above is not None
    assert below["y"] > above["y"] + above["height"]
    assert below["width"] > 250


@pytest.mark.parametrize(
    "address", ["/admin/auth/user/", "/admin/auth/group/", "/admin/jobs/jobevent/", "/admin/receipts/receipt/"]
)
def test_on_a_phone_nothing_of_a_list_is_out_of_sight_and_each_value_has_its_columns_name(
    visitor: Visitor, jobs: list[str], address: str
) -> None:
    page = visitor.open("root", viewport=PHONE)
    page.goto(address)
    table = page.locator("#result_list")
    assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
    value = table.locator("tbody td:not(.action-checkbox)").first
    named = "value => [getComputedStyle(value, '::before').content, value.getBoundingClientRect().height]"
    heading = table.locator("thead th:not(.action-checkbox-column) .text").nth(1).text_content() or ""
    words, height = value.evaluate(named)
    assert words == f'"{heading.strip()}"'
    assert height < 60  # one line of words beside the other


def test_on_a_desk_a_list_is_a_table_of_columns(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("root", viewport={"width": 1440, "height": 900})
    page.goto("/admin/jobs/jobevent/")
    assert (
        page.locator("#result_list tbody td").first.evaluate("value => getComputedStyle(value).display") == "table-cell"
    )


def test_no_name_in_the_sidebar_takes_two_lines(visitor: Visitor) -> None:
    page = visitor.open("root", viewport={"width": 1024, "height": 900})
    links = page.locator("#nav-sidebar th a")
    assert len({height_of(link) for link in links.all()}) == 1


@pytest.mark.parametrize("width", [PHONE["width"], 1024])
def test_the_receipt_and_its_facts_stand_above_the_timeline_where_there_is_no_room_beside_it(
    visitor: Visitor, jobs: list[str], width: int
) -> None:
    page = visitor.open("oscar", viewport={"width": width, "height": 900})
    page.goto(f"{JOBS}{jobs[0]}/change/")
    facts = page.get_by_role("region", name="Facts").bounding_box()
    timeline = page.get_by_role("region", name="Timeline").bounding_box()
    assert facts is not None
    assert timeline is not None
    assert facts["y"] + facts["height"] <= timeline["y"]


def test_text_of_twice_the_size_has_as_much_room_as_on_half_the_screen(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("root", viewport={"width": 1280, "height": 900})
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    for address, columns in (
        ("/admin/", ".charts"),
        ("/admin/", ".columns"),
        ("/admin/connect/", ".way"),
        (f"{JOBS}{jobs[0]}/change/", ".job"),
    ):
        page.goto(address)
        grid = page.locator(columns)
        assert width_of(grid.locator("> *").first) == width_of(grid), columns
    page.goto("/admin/")
    group = page.locator(".group").first
    assert width_of(group.locator("h3")) == width_of(group)


def test_the_timeline_stands_beside_the_receipt_on_a_desk(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar", viewport={"width": 1440, "height": 900})
    page.goto(f"{JOBS}{jobs[0]}/change/")
    receipt = page.get_by_role("region", name="Receipt", exact=True).bounding_box()
    timeline = page.get_by_role("region", name="Timeline").bounding_box()
    assert receipt is not None
    assert timeline is not None
    assert timeline["y"] == receipt["y"]
    assert timeline["x"] + timeline["width"] <= receipt["x"]


def test_the_page_that_asks_for_a_reason_is_no_wider_than_a_phone(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar", viewport=PHONE)
    ask_about(page, jobs[0])
    assert page.evaluate(WIDTH) == PHONE["width"]


def test_the_way_back_does_not_look_like_what_is_done(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar")
    ask_about(page, jobs[0])
    done, back = page.get_by_role("button", name="Do it"), page.get_by_role("link", name="Back, change nothing")
    assert done.evaluate(FILLING) != back.evaluate(FILLING)


def test_to_cancel_a_job_does_not_look_like_sending_it(visitor: Visitor, service: Installation) -> None:
    job_id = service.upload(4713).json()["job_id"]
    page = visitor.open("oscar")
    page.goto(f"{JOBS}{job_id}/change/")
    send, cancel = (page.locator("summary", has_text=words) for words in ("Send now", "Cancel the job"))
    assert send.evaluate(FILLING) != cancel.evaluate(FILLING)


@pytest.mark.parametrize("address", [JOBS, "/admin/auth/group/"])
def test_the_actions_of_a_list_end_where_its_card_does(visitor: Visitor, jobs: list[str], address: str) -> None:
    page = visitor.open("root")
    page.goto(address)
    assert width_of(page.locator(".actions").first) <= width_of(page.locator(".changelist-form-container"))


@pytest.mark.parametrize("width", [720, 860, 900, 940, 1100, 1280, 1440])
def test_no_column_of_the_list_ends_beyond_its_card(visitor: Visitor, jobs: list[str], width: int) -> None:
    page = visitor.open("oscar", viewport={"width": width, "height": 900})
    page.goto(JOBS)
    assert width_of(page.locator("#result_list")) <= width_of(page.locator(".results"))


@pytest.mark.parametrize("width", [1240, 1252, 1266, 1280, 1320])
def test_a_job_that_needs_attention_pushes_no_column_of_the_list_beyond_its_card(
    visitor: Visitor, jobs: list[str], width: int
) -> None:
    page = visitor.open("oscar", viewport={"width": width, "height": 900})
    page.goto(JOBS)
    needy = ' <span class="badge badge-attention">Needs attention</span>'
    page.locator(".cell-status .badge").first.evaluate(
        "(badge, html) => badge.insertAdjacentHTML('afterend', html)", needy
    )
    assert page.locator("#result_list").evaluate("list => list.offsetWidth <= list.closest('.results').clientWidth")


@pytest.mark.parametrize("width", [1280, 1440])
def test_a_message_without_a_blank_pushes_no_column_of_the_list_beyond_its_card(
    visitor: Visitor, jobs: list[str], width: int
) -> None:
    page = visitor.open("oscar", viewport={"width": width, "height": 900})
    page.goto(JOBS)
    page.locator(".cell-result").first.evaluate("cell => cell.textContent = 'e'.repeat(80)")
    assert width_of(page.locator("#result_list")) <= width_of(page.locator(".results"))


@pytest.mark.parametrize("width", [PHONE["width"], 1280])
def test_a_message_without_a_blank_makes_its_jobs_page_no_wider(visitor: Visitor, jobs: list[str], width: int) -> None:
    page = visitor.open("oscar", viewport={"width": width, "height": 900})
    page.goto(f"{JOBS}{jobs[0]}/change/")
    page.locator(".timeline .kind-failed > p").evaluate("message => message.textContent = 'e'.repeat(500)")
    assert page.evaluate(WIDTH) <= width


@pytest.mark.parametrize("width", [PHONE["width"], 1280])
def test_a_long_name_of_a_fact_leaves_room_for_what_it_is(visitor: Visitor, jobs: list[str], width: int) -> None:
    page = visitor.open("oscar", viewport={"width": width, "height": 900})
    page.goto(f"{JOBS}{jobs[0]}/change/")
    facts = page.get_by_role("region", name="Facts").locator(".facts")
    facts.locator("dt").first.evaluate("name => name.textContent = 'additional_information_of_the_payment_method'")
    assert width_of(facts.locator("dd").first) > width_of(facts) / 2


def test_facts_of_a_fact_have_the_width_of_the_whole_card(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar", viewport=PHONE)
    page.goto(f"{JOBS}{jobs[0]}/change/")
    facts = page.get_by_role("region", name="Facts").locator(".facts")
    address = "<dl class=facts><dt>street</dt><dd>Long Street 123</dd></dl>"
    facts.locator("dd").first.evaluate("(fact, html) => fact.innerHTML = html", address)
    assert width_of(facts.first.locator("dd").first) == width_of(facts.first)


@pytest.mark.parametrize("width", [1024, 1280])
def test_a_long_name_pushes_no_column_of_any_list_beyond_its_card(
    visitor: Visitor, service: Installation, width: int
) -> None:
    name = "scan-" + "1234567890" * 15
    answer = requests.post(
        f"{service.url}/api/v1/receipts/upload",
        files={"file": (f"{name}.jpg", draw_receipt(4715, size=SMALL))},
        data={"notion_database_id": DATABASE_ID},
        headers={"Authorization": f"Api-Key {service.key}"},
        timeout=30,
    )
    assert answer.ok
    page = visitor.open("root", viewport={"width": width, "height": 900})
    for address in ("/admin/receipts/receipt/", "/admin/jobs/jobevent/", "/admin/receipts/apikey/"):
        page.goto(address)
        expect(page.locator("#result_list")).to_contain_text(name if "apikey" not in address else service.key[:8])
        assert width_of(page.locator("#result_list")) <= width_of(page.locator(".results")), address


@pytest.mark.parametrize("width", [PHONE["width"], 1440])
def test_the_name_that_a_camera_gives_stands_on_one_line(visitor: Visitor, jobs: list[str], width: int) -> None:
    page = visitor.open("oscar", viewport={"width": width, "height": 900})
    page.goto(JOBS)
    name = page.locator(".cell-job a").first
    name.evaluate("name => name.textContent = 'a.jpg'")  # whatever was uploaded last
    one_line = height_of(name)
    name.evaluate("name => name.textContent = 'PXL_20261123_041915777.jpg'")
    assert height_of(name) == one_line


def test_in_colours_of_ones_own_buttons_have_edges_and_legends_tell_their_colours(
    visitor: Visitor, jobs: list[str]
) -> None:
    page = visitor.open("oscar", forced_colors="active")
    swatch = "element => getComputedStyle(element, '::before').backgroundColor"
    legend = page.locator(".chart .legend").first.locator("li")
    assert len({one.evaluate(swatch) for one in legend.all()}) == legend.count() == 2
    button = page.locator("summary.button").first
    assert button.evaluate("element => getComputedStyle(element).borderTopStyle") == "solid"
