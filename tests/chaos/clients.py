"""Clients that upload receipts and repeat a request until they are told what became of it."""

import hashlib
import itertools
import random
import threading
import time

import requests

from receipts.sample import draw_receipt

from .ledger import Ledger

SIZE = (180, 280)
NOTION_DATABASE = "0123abcd-4567-89ab-cdef-0123456789ab"
PATIENCE_SECONDS = 5.0
IMPATIENCE_SECONDS = 0.03  # some hang up while their request is worked on, and ask again at once
IMPATIENT, ASKS_TWICE = 0.1, 0.15
PAUSE_SECONDS = (0.2, 0.8)
AGAIN_SECONDS = 0.3


class Client(threading.Thread):
    """Uploads one distinct receipt after the other, each under an idempotency key of its own.

    Args:
        name: also of its key's holder in the installation.
        seed: draws its receipts, keys and impatience.
        url: of the web server.
        api_key: its own.
        ledger: takes each answer: client, key, sha256, status (0 where none came), job_id, error.
    """

    def __init__(self, name: str, *, seed: int, url: str, api_key: str, ledger: Ledger) -> None:
        super().__init__(name=name, daemon=True)
        self.accepted = 0
        self._random = random.Random(f"{seed} {name}")
        self._url = f"{url}/api/v1/receipts/upload"
        self._headers = {"Authorization": f"Api-Key {api_key}", "Connection": "close"}
        self._ledger = ledger
        self._closing = threading.Event()
        self._leaving = threading.Event()

    def run(self) -> None:
        """Upload until the shop closes; what was begun is asked to its end."""
        with requests.Session() as session:
            session.trust_env = False
            while not self._closing.wait(self._random.uniform(*PAUSE_SECONDS)):
                self._submit(session, draw_receipt(self._random.randrange(10**9), size=SIZE))

    def close(self) -> None:
        """Begin nothing new."""
        self._closing.set()

    def leave(self) -> None:
        """Ask no more, whatever is still unanswered."""
        self._closing.set()
        self._leaving.set()

    def _submit(self, session: requests.Session, picture: bytes) -> None:
        key = f"{self.name}-{self._random.getrandbits(64):016x}"
        patience = IMPATIENCE_SECONDS if self._random.random() < IMPATIENT else PATIENCE_SECONDS
        answers_wanted = 2 if self._random.random() < ASKS_TWICE else 1
        for attempt in itertools.count():
            status = self._ask(session, key, picture, patience if attempt == 0 else PATIENCE_SECONDS)
            answers_wanted -= status in (200, 202)
            if not answers_wanted or 400 <= status < 500 or self._leaving.is_set():
                break
            time.sleep(AGAIN_SECONDS if attempt else 0)
        self.accepted += not answers_wanted

    def _ask(self, session: requests.Session, key: str, picture: bytes, patience: float) -> int:
        entry = {"client": self.name, "key": key, "sha256": hashlib.sha256(picture).hexdigest()}
        try:
            answer = session.post(
                self._url,
                files={"file": ("receipt.jpg", picture)},
                data={"notion_database_id": NOTION_DATABASE},
                headers=self._headers | {"Idempotency-Key": key},
                timeout=patience,
            )
            body = answer.json()
        except (requests.RequestException, ValueError) as error:
            self._ledger.write(**entry, status=0, job_id="", error=type(error).__name__)
            return 0
        self._ledger.write(
            **entry, status=answer.status_code, job_id=body.get("job_id", ""), error=body.get("code", "")
        )
        return answer.status_code
