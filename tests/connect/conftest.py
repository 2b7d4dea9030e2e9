"""An N8N to connect, and those who connect it."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.test import Client as Browser

from jobs.n8n_api import PublicApi
from tests.support.staff import staff
from tests.support.stub_n8n import StubN8N

from .connect_page import INSTALL, TEST
from .installs import api_of, set_n8n


@pytest.fixture
def n8n(settings: LazySettings) -> Iterator[StubN8N]:
    """Return an N8N that holds nothing yet, and that the settings name."""
    with set_n8n(settings) as n8n:
        yield n8n


@pytest.fixture
def api(n8n: StubN8N) -> PublicApi:
    """Return its public API."""
    return api_of(n8n)


@pytest.fixture
def operator(db: None) -> Browser:
    """Return the browser of somebody who may test the connection."""
    return staff(*TEST, name="oscar")


@pytest.fixture
def administrator(db: None) -> Browser:
    """Return that of somebody who may also install."""
    return staff(*INSTALL, name="ada")
