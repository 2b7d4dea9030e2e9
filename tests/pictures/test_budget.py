"""Any number of looks at once stay within the memory that is set aside for them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from receipts.budget import PATIENCE_SECONDS, Crowded, MemoryBudget
from tests.support.installation import wait_for
from tests.support.outages import Clock


def drawing(budget: MemoryBudget, amount: float, begun: threading.Event, end: threading.Event) -> None:
    with budget.draw(amount):
        begun.set()
        assert end.wait(30)


def start(budget: MemoryBudget, amount: float) -> tuple[threading.Thread, threading.Event, threading.Event]:
    begun, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=partial(drawing, budget, amount, begun, end))
    thread.start()
    return thread, begun, end


def test_what_fits_goes_on_at_once_and_what_does_not_waits() -> None:
    budget = MemoryBudget(100)
    first, begun_first, end_first = start(budget, 60)
    second, begun_second, end_second = start(budget, 40)
    assert begun_first.wait(30)
    assert begun_second.wait(30)
    third, begun_third, end_third = start(budget, 50)
    assert not begun_third.wait(0.2)
    end_second.set()
    second.join()
    assert not begun_third.wait(0.2)
    end_first.set()
    assert begun_third.wait(30)
    end_third.set()
    first.join()
    third.join()


def test_small_ones_do_not_overtake_a_large_one_that_waits() -> None:
    budget = MemoryBudget(100)
    first, begun_first, end_first = start(budget, 60)
    assert begun_first.wait(30)
    large, begun_large, end_large = start(budget, 100)
    wait_for(budget._turn.locked, "the large one to wait")
    small, begun_small, end_small = start(budget, 1)
    assert not begun_small.wait(0.2)
    end_first.set()
    assert begun_large.wait(30)
    assert not begun_small.wait(0.2)
    for end in (end_large, end_small):
        end.set()
    for thread in (first, large, small):
        thread.join()


def test_more_than_there_is_waits_for_all_of_it_and_not_for_ever() -> None:
    budget = MemoryBudget(100)
    first, begun_first, end_first = start(budget, 1)
    assert begun_first.wait(30)
    large, begun_large, end_large = start(budget, 1000)
    assert not begun_large.wait(0.2)
    end_first.set()
    assert begun_large.wait(30)
    small, begun_small, end_small = start(budget, 1)
    assert not begun_small.wait(0.2)
    for end in (end_large, end_small):
        end.set()
    for thread in (first, large, small):
        thread.join()


def test_what_was_drawn_comes_back_whatever_happens() -> None:
    budget = MemoryBudget(100)
    with pytest.raises(ZeroDivisionError), budget.draw(100):
        raise ZeroDivisionError
    with budget.draw(100):
        pass


@pytest.mark.parametrize("behind", [0, 1], ids=["nobody waits", "behind somebody who waits"])
def test_who_would_have_to_wait_for_too_long_is_turned_away(behind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MemoryBudget(100)
    with budget.draw(100):
        waiting = [start(budget, 60) for _ in range(behind)]
        wait_for(lambda: budget._turn.locked() or not behind, "those before")
        monkeypatch.setattr("receipts.budget.PATIENCE_SECONDS", 0.05)
        asked = time.monotonic()
        with pytest.raises(Crowded), budget.draw(1):
            pass
        assert time.monotonic() - asked < 20
    for thread, begun, end in waiting:
        assert begun.wait(30)
        end.set()
        thread.join()
    with budget.draw(100):
        pass


def test_who_waited_for_the_turn_waits_for_the_memory_only_for_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    has_come = threading.Event()

    class Watched(Clock):
        def monotonic(self) -> float:
            now = self.now
            has_come.set()
            return now

    budget, clock = MemoryBudget(100), Watched()
    monkeypatch.setattr("receipts.budget.time", clock)
    with budget.draw(100), ThreadPoolExecutor(1) as pool:
        with budget._turn:  # somebody else's
            has_come.clear()
            waiting = pool.submit(budget._take, 1)
            assert has_come.wait(5)
            clock.now += PATIENCE_SECONDS
        assert isinstance(waiting.exception(timeout=PATIENCE_SECONDS / 2), Crowded)
