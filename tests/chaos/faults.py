"""The faults that may strike, and the storm that draws them from its seed."""

import random
import time
from collections.abc import Callable, Iterator

from .databases import PostgresDatabase, SqliteDatabase
from .installation import SWEEPS, WORKERS, Installation
from .ledger import Ledger
from .n8n import StubN8N
from .ways import LEASE_SECONDS

GAP_SECONDS = (0.6, 2.0)
FREEZE_SECONDS = (LEASE_SECONDS + 0.5, LEASE_SECONDS + 2.5)
SPELL_SECONDS = (0.5, 2.5)

Mend = Callable[[], object]


class Storm:
    """Strikes with one fault after the other; each kind once before any comes again.

    Args:
        seed: draws the faults, their victims, their lengths and the gaps between them.
        faults: the ledger that takes what was done.
    """

    def __init__(
        self,
        seed: int,
        installation: Installation,
        n8n: StubN8N,
        database: SqliteDatabase | PostgresDatabase,
        faults: Ledger,
    ) -> None:
        self.struck: dict[str, int] = {}
        self._random = random.Random(seed)
        self._installation = installation
        self._n8n = n8n
        self._database = database
        self._faults = faults
        self._mends: list[tuple[float, Mend]] = []
        self._kinds = self._draw()

    def blow(self, seconds: float, each_look: Callable[[], object]) -> None:
        """Strike now and then for so many seconds, while what dies is started again; then mend what is not yet."""
        end = time.monotonic() + seconds
        next_at = time.monotonic() + self._random.uniform(*GAP_SECONDS)
        while not self._installation.stopping and (now := time.monotonic()) < end:
            if now >= next_at:
                self._strike()
                next_at = time.monotonic() + self._random.uniform(*GAP_SECONDS)
            self._mend(due_by=now)
            each_look()
            self._installation.watch(seconds=0.1)
        self._mend(due_by=float("inf"))

    def _strike(self) -> None:
        kind, strike = next(self._kinds)
        self.struck[kind] = self.struck.get(kind, 0) + 1
        strike()

    def _mend(self, *, due_by: float) -> None:
        due = [mend for at, mend in self._mends if at <= due_by]
        self._mends = [(at, mend) for at, mend in self._mends if at > due_by]
        for mend in due:
            mend()

    def _draw(self) -> Iterator[tuple[str, Callable[[], None]]]:
        kinds = [*self._faults_of_all()]
        while True:
            self._random.shuffle(kinds)
            yield from kinds

    def _faults_of_all(self) -> Iterator[tuple[str, Callable[[], None]]]:
        place = self._installation
        yield "web killed", lambda: place.kill("web")
        yield "worker killed", lambda: place.kill(self._random.choice(WORKERS))
        yield "another worker killed", lambda: place.kill(self._random.choice(WORKERS))
        yield "sweep killed", lambda: place.kill(self._random.choice(SWEEPS))
        yield "worker frozen past its lease", self._freeze_worker
        yield "Valkey killed", lambda: place.kill("valkey")
        yield "Valkey killed with its data", place.kill_valkey_with_data
        yield "Valkey frozen", self._freeze_valkey
        yield "Valkey flushed", place.flush_valkey
        yield "N8N refuses connections", self._close_n8n
        yield "N8N knows no webhook", lambda: self._put_n8n_in("404")
        yield "N8N's proxy answers 502", lambda: self._put_n8n_in("502")
        if isinstance(self._database, PostgresDatabase):
            yield "PostgreSQL restarted", lambda: self._harm_database("restart")
            yield "PostgreSQL's connections ended", lambda: self._harm_database("end_connections")

    # -- faults that last ----------------------------------------------------------------------------------------------

    def _freeze_worker(self) -> None:
        name, seconds = self._random.choice(WORKERS), self._random.uniform(*FREEZE_SECONDS)
        self._mend_after(seconds, self._installation.freeze(name))

    def _freeze_valkey(self) -> None:
        self._mend_after(self._random.uniform(*SPELL_SECONDS), self._installation.freeze("valkey"))

    def _close_n8n(self) -> None:
        self._faults.write(kind="closed", name="n8n")
        self._n8n.close()
        self._mend_after(self._random.uniform(*SPELL_SECONDS), self._n8n.open)

    def _put_n8n_in(self, mood: str) -> None:
        self._faults.write(kind=mood, name="n8n")
        self._n8n.mood = mood
        self._mend_after(self._random.uniform(*SPELL_SECONDS), lambda: setattr(self._n8n, "mood", ""))

    def _harm_database(self, how: str) -> None:
        self._faults.write(kind="database harmed", name=how)
        getattr(self._database, how)()
        self._faults.write(kind="database back", name=how)

    def _mend_after(self, seconds: float, mend: Mend) -> None:
        self._mends.append((time.monotonic() + seconds, mend))
