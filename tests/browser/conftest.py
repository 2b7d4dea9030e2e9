"""An installation and a Chromium for each file of tests, and a visitor for each test."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser

from jobs.sandbox import running_sandbox
from tests.support.installation import Installation

from .chromium import Visitor, find_chromium, running_chromium
from .filling import fill_with

Fill = Callable[[str], Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a running Chromium; for one file only, since Playwright's loop keeps Django from its database."""
    path = find_chromium()
    if not path:
        sentence = "There is no Chromium: apt install chromium, or name one by CHROMIUM=/path/of/it."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(sentence)
    with running_chromium(path) as browser:
        yield browser


@pytest.fixture(scope="module")
def service(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation whose web runs, with a sandbox for N8N; tests start what else they need."""
    with (
        running_sandbox(delay=0.2) as n8n,
        Installation(
            tmp_path_factory.mktemp("installation"),
            f"{n8n.url}/webhook/receipts",
            CALLBACK_TIMEOUT_SECONDS="900",
            N8N_DEADLINE_SECONDS="20",
        ) as installation,
    ):
        installation.start_web()
        yield installation


@pytest.fixture(scope="module")
def fill(service: Installation) -> Fill:
    """Return a function that fills the database with a part of the scene; people are in it already."""

    fill_with(service, "people")
    return partial(fill_with, service)


@pytest.fixture
def visitor(chromium: Browser, service: Installation, fill: Fill) -> Iterator[Visitor]:
    """Return somebody at a browser; afterwards no page may have done what it must not."""
    visitor = Visitor(chromium, service.url)
    yield visitor
    visitor.leave()
    assert visitor.faults == []
