"""The documentation speaks of what is there."""

import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from jobs.causes import CAUSES_OF_DELAY, CAUSES_OF_FAILURE, Cause
from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog

API = Path("docs/api.md").read_text()
DOCUMENTS = sorted([*Path().glob("*.md"), *Path("docs").rglob("*.md"), Path("deploy/README.md"), Path("n8n/README.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
ANCHOR = re.compile(r"\]\((?!https?://)([^)#]*)#([^)]+)\)")
CODE = re.compile(r"^```.*?^ *```$", re.MULTILINE | re.DOTALL)
SOURCE = re.compile(r"`((?:accounting|jobs|n8n|receipts|tests|templates|docs)/[\w/.-]*)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_and_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text()
    named = [document.parent / link for link in LINK.findall(text)] + [Path(name) for name in SOURCE.findall(text)]
    assert [str(path) for path in named if not path.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_heading_that_is_linked_exists(document: Path) -> None:
    links = ANCHOR.findall(document.read_text())
    linked = [(document.parent / link if link else document, anchor) for link, anchor in links]
    assert [f"{path}#{anchor}" for path, anchor in linked if anchor not in _anchors(path)] == []


def test_every_test_that_the_requirements_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", Path("docs/requirements.md").read_text())
    assert named
    assert [name for name in named if not Path(name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_test_that_a_command_runs_exists(document: Path) -> None:
    commands = re.findall(r"pytest ((?:[\w/*.-]+\s*)+)", document.read_text())
    named = [name for command in commands for name in command.split() if name.startswith("tests/")]
    assert [name for name in named if not list(Path().glob(name))] == []


def test_every_file_that_a_fault_is_said_to_be_tested_in_exists() -> None:
    there = {path.name for path in Path("tests").rglob("test_*.py")}
    assert set(re.findall(r"`(?:\w+/)*(test_\w+\.py)`", Path("docs/reliability.md").read_text())) - there == set()


def test_every_test_that_a_fault_is_said_to_have_exists_and_none_is_left_out() -> None:
    named = set(re.findall(r"`(test_\w+)`", Path("docs/reliability.md").read_text()))
    assert named - _tests_in(Path("tests")) == set()
    assert _tests_in(Path("tests/faults")) - named == set()


def test_every_decision_is_listed_by_its_title() -> None:
    listed = Path("docs/decisions/README.md").read_text()
    pages = {page.name: page.read_text().partition("\n")[0] for page in Path("docs/decisions").glob("0*.md")}
    assert [name for name, title in pages.items() if f"[{title.removeprefix('# ')}]({name})" not in listed] == []


def test_every_failure_code_is_explained_to_clients() -> None:
    explained = {
        code for row in re.findall(r"^\| (`.+?`) \|", API, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert [code for code in FailureCode if code not in explained] == []


@pytest.mark.parametrize("causes", [CAUSES_OF_DELAY, CAUSES_OF_FAILURE], ids=["delays", "failures"])
def test_the_catalogue_of_what_goes_wrong_is_printed_whole(causes: dict[str, Cause]) -> None:
    rows = {f"| `{code}` | {cause.sentence} | {cause.cure} |" for code, cause in causes.items()}
    assert rows - set(Path("docs/n8n.md").read_text().splitlines()) == set()


def test_every_code_of_a_problem_is_listed() -> None:
    codes = {code for folder in ("accounting", "jobs", "receipts") for code in _problem_codes(Path(folder))}
    assert {"file_too_large", "outcome_contradicts"} <= codes
    codes |= set(re.findall(r'(?:problem:|^\t+\S+ )(\w+)"? ?[",]', Path("deploy/Caddyfile").read_text(), re.MULTILINE))
    assert [code for code in sorted(codes) if f"`{code}`" not in API] == []


def test_the_state_diagram_draws_just_what_is_allowed() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)", Path("docs/architecture.md").read_text(), re.MULTILINE))
    assert drawn == {(str(was), str(to)) for was, targets in JobLog.ALLOWED.items() for to in targets}


def test_every_command_that_is_named_exists() -> None:
    named = {name for document in DOCUMENTS for name in re.findall(r"manage\.py (\w+)", document.read_text())}
    assert named - set(get_commands()) == set()


def test_every_command_of_ours_says_what_it_does() -> None:
    ours = {name: app for name, app in get_commands().items() if app in {"accounting", "jobs", "receipts"}}
    assert len(ours) > 10
    assert [name for name, app in ours.items() if not load_command_class(app, name).help] == []


def test_every_kind_of_event_is_written_somewhere() -> None:
    written = "".join(path.read_text() for path in Path("jobs").rglob("*.py") if path.name != "models.py")
    of_migrations = set(re.findall(r'kind="(\w+)"', written))
    kinds = [kind for kind in JobEvent.Kind if kind not in of_migrations]
    assert [kind.name for kind in kinds if f"Kind.{kind.name}" not in written] == []


def _anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _tests_in(folder: Path) -> set[str]:
    return {
        name for path in folder.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }


def _problem_codes(folder: Path) -> set[str]:
    calls = (node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text())))
    return {
        argument.value
        for call in calls
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Problem", "unavailable")
        for argument in call.args[1:2]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
