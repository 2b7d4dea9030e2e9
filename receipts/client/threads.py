"""Several at once, by threads that nobody has to wait for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_unordered(work: Callable[[Item], Result], items: Iterable[Item], *, threads: int) -> Iterator[Result]:
    """Do the work for each item, some at once; each result comes as soon as it is there.

    Before it ends Python waits for an executor's threads, be they in the middle of an upload; for these it does not.

    Raises:
        BaseException: what the work raised.
    """
    left, done = deque(items), SimpleQueue[Result | BaseException]()
    number = len(left)
    for _ in range(min(threads, number)):
        Thread(target=_work_through, args=(work, left, done), daemon=True).start()
    try:
        for _ in range(number):
            yield _result(done.get())
    finally:
        left.clear()


def _work_through(work: Callable[[Item], Result], left: deque[Item], done: SimpleQueue[Result | BaseException]) -> None:
    with suppress(IndexError):  # there are no more
        while True:
            item = left.popleft()
            done.put(_attempt(work, item))


def _attempt(work: Callable[[Item], Result], item: Item) -> Result | BaseException:
    try:
        return work(item)
    except BaseException as error:
        return error


def _result(result: Result | BaseException) -> Result:
    if isinstance(result, BaseException):
        raise result
    return result
