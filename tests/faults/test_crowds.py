"""More pictures at once than there is room for: some wait, the others are told to come again, and all else goes on."""

import threading

import pytest

from tests.bombs import BOMBS
from tests.installation import Installation, wait_for
from tests.outages import cells_of, frozen

pytestmark = [pytest.mark.processes, pytest.mark.faults]

UPLOADS = 16
PLACES = 6  # of eight threads


def test_beside_many_large_pictures_there_is_a_thread_for_everything_else(service: Installation) -> None:
    service.env["UPLOAD_RATE"] = "none"
    web = service.start_web()
    large = BOMBS["HEIC of 29 megapixels of white"]()
    answers: list[tuple[int, str]] = []

    def upload() -> None:
        answer = service.upload_bytes(large)
        answers.append((answer.status_code, answer.json().get("code", "")))

    threads = [threading.Thread(target=upload) for _ in range(UPLOADS)]
    threads[0].start()
    cell = wait_for(lambda: cells_of(web.pid), "the first look")[0]
    with frozen(cell.pid):
        for thread in threads[1:]:
            thread.start()
        wait_for(lambda: len(answers) == UPLOADS - PLACES, "those that find no place")
        assert set(answers) == {(503, "busy")}
        assert service.ask("/health").status_code == 200
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers[UPLOADS - PLACES :]) == [200] * (PLACES - 1) + [202]
