"""More large pictures at once than there is room for: they wait for each other, and all else goes on."""

import threading

import psutil
import pytest
from PIL import Image

from tests.support.installation import Installation, wait_for
from tests.support.outages import cells_of, frozen
from tests.support.pictures import saved

pytestmark = [pytest.mark.processes, pytest.mark.faults]

UPLOADS = 6  # for four threads, and for the memory of one look at a time


def test_many_large_pictures_wait_for_each_other_while_all_else_goes_on(service: Installation) -> None:
    service.env["UPLOAD_RATE"] = "none"
    web = service.start_web()
    # it leaves no room for a second one, and is soon looked at: nobody waits for longer than there is patience
    large = saved(Image.new("RGB", (4300, 3400), "white"), "HEIF", enc_params={"preset": "ultrafast"})
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(service.upload_bytes(large).status_code)) for _ in range(UPLOADS)
    ]
    threads[0].start()
    cell = wait_for(lambda: cells_of(web.pid), "the first look")[0]
    with frozen(cell.pid):
        for thread in threads[1:]:
            thread.start()
        wait_for(lambda: connected_to(service) == UPLOADS, "all of them")
        for _ in range(10):
            assert service.ask("/health").status_code == 200
        assert not answers
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] * (UPLOADS - 1) + [202]


def connected_to(service: Installation) -> int:
    found = psutil.net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr[1:] == (service.port,) for one in found)
