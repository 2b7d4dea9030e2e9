"""`python -m tests.browser.screenshots`, which `make screenshots` runs: draws the pictures in docs/images anew."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from PIL import Image
from playwright.sync_api import FilePayload, Page, ViewportSize, expect

from receipts.sample import draw_receipt
from tests.support.servers import SETTINGS

from .chromium import PHONE, Visitor, find_chromium, running_chromium

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
DESK: ViewportSize = {"width": 1440, "height": 960}
MAX_BYTES = 250_000
PATIENT = {
    "CALLBACK_TIMEOUT_SECONDS": "900",
    "N8N_DEADLINE_SECONDS": "120",
    "DELIVERY_RETRY_SCHEDULE": "240,900,3600,3600,7200,86400",
}


def main() -> None:
    """Start an installation whose month was a busy one, and take its pictures.

    Raises:
        SystemExit: there is no Chromium.
    """
    path = find_chromium()
    if not path:
        sys.exit("make screenshots: there is no Chromium: apt install chromium, or name one by CHROMIUM=/path/of/it.")
    with _busy_service() as (url, job), running_chromium(path) as browser:
        visitor = Visitor(browser, url)
        _take_all(visitor, job)
        visitor.leave()


@contextmanager
def _busy_service() -> Iterator[tuple[str, str]]:
    """Run a whole service; return its address, and the id of the job whose page is to be shown."""
    with tempfile.TemporaryDirectory(prefix="receipts-screenshots-") as name:
        folder = Path(name)
        own = {"MEDIA_ROOT": f"{folder}/media", "DATABASE_URL": f"sqlite:///{folder}/none", "REDIS_URL": "redis://none"}
        os.environ |= SETTINGS | own | {"DJANGO_SETTINGS_MODULE": "accounting.settings"}
        django.setup()
        from jobs.sandbox import running_sandbox
        from tests.support.installation import SWEEP, WORKER, Installation
        from tests.support.stub_n8n import KEY, stub_n8n

        from .filling import fill_with

        with (
            running_sandbox() as n8n,
            stub_n8n() as editor,
            Installation(
                folder,
                f"{n8n.url}/webhook/receipts",
                N8N_BASE_URL=editor.url,
                N8N_PUBLIC_API_KEY=KEY,
                **PATIENT,
            ) as service,
        ):
            fill_with(service, "people")
            shown = fill_with(service, "month")
            for command in (SWEEP, WORKER, WORKER):
                service.start(*command)
            service.start_web()
            yield service.url, shown["job"]


def _take_all(visitor: Visitor, job: str) -> None:
    page = visitor.open("root", viewport=DESK)
    expect(page.get_by_text("Workers alive")).to_be_visible()
    _take(page, "operations", "/admin/?period=7d")
    page.emulate_media(color_scheme="dark")
    _take(page, "operations-dark", "/admin/?period=7d")
    page.emulate_media(color_scheme="light")
    _take(page, "jobs", "/admin/jobs/joblog/")
    _take(page, "job", f"/admin/jobs/joblog/{job}/change/")
    _upload(page)
    _take(page, "upload")
    _connect(page)
    _take(page, "connect")
    page.set_viewport_size(PHONE)
    _take(page, "phone", f"/admin/jobs/joblog/{job}/change/")
    page.emulate_media(color_scheme="dark")
    _take(page, "phone-dark", "/admin/jobs/joblog/")


def _upload(page: Page) -> None:
    """Send some files, one of which is none."""
    page.goto("/admin/jobs/joblog/add/")
    names = ("lunch.jpg", "taxi.jpg", "paper.jpg")
    files: list[FilePayload] = [
        {"name": name, "mimeType": "image/jpeg", "buffer": draw_receipt(900 + number)}
        for number, name in enumerate(names)
    ]
    note: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Call the bank"}
    page.locator("#files").set_input_files([*files, note])
    page.locator("#upload input[type=submit]").click()
    expect(page.locator("#summary")).to_have_text("3 taken in, 1 refused")


def _connect(page: Page) -> None:
    """Install the workflows, and test the way there and back."""
    page.goto("/admin/connect/")
    page.get_by_role("button", name="Install").click()
    page.get_by_role("button", name="Test").click()
    expect(page.locator(".verdict-good")).to_be_visible()


def _take(page: Page, name: str, address: str = "") -> None:
    """Take a picture of what fits on the screen, and keep it small."""
    if address:
        page.goto(address)
    page.wait_for_load_state("networkidle")
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    page.evaluate("scrollTo(0, 0)")
    picture = _png(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    if len(picture) > MAX_BYTES:
        of_few_colours = Image.open(io.BytesIO(picture)).quantize(256, Image.Quantize.MAXCOVERAGE)
        picture = _png(of_few_colours)
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"{name}.png").write_bytes(picture)
    sys.stdout.write(f"docs/images/{name}.png  {len(picture) // 1000} kB\n")


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
