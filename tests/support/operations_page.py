"""The operations page as its readers find it: whole, in words, card by card."""

import re
from html import unescape

from django.test import Client as Browser

INDEX = "/admin/"


def page(browser: Browser, query: str = "") -> str:
    """Return it as it is written, with spaces for line breaks."""
    answer = browser.get(f"{INDEX}{query}")
    assert answer.status_code == 200
    return unescape(re.sub(r"\s+", " ", answer.content.decode()))


def words(text: str) -> str:
    """Return it as it is read, without its elements."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def card(text: str, title: str) -> str:
    """Return what the card of that title says."""
    found = re.search(rf"<dt>{title}</dt>(.*?)</div>", text)
    assert found is not None, title
    return words(found[1]).strip()


def sign(text: str, name: str) -> str:
    """Return what is said of whether that is alive."""
    found = re.search(rf"<dt>{name} (.*?)</div>", text)
    assert found is not None, name
    return words(found[1]).strip()
