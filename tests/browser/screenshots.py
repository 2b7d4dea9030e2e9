"""`python -m tests.browser.screenshots`, which `make screenshots` runs: draws the pictures in docs/images anew."""

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page

from tests.servers import SETTINGS

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
COLOURS = 128  # enough for pages with a photograph, and a third of the size


def main() -> None:
    """Start an installation whose month was a busy one, and take its pictures.

    Raises:
        SystemExit: there is no Chromium.
    """
    from tests.browser.chromium import Visitor, find_chromium, running_chromium

    path = find_chromium()
    if not path:
        sys.exit("make screenshots: there is no Chromium: apt install chromium, or name one by CHROMIUM=/path/of/it.")
    with _running_service() as (service, shown), running_chromium(path) as browser:
        visitor = Visitor(browser, service.url)
        _take_all(visitor, shown)
        visitor.leave()


if __name__ == "__main__":
    main()
