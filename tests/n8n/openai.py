"""A stand-in for OpenAI (https://platform.openai.com/docs/api-reference/chat), which can read drawn receipts."""

import base64
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Collection
from typing import Any

from receipts.sample import Sample, draw_receipt, make_sample
from tests.factories import SMALL

from .outside import Call, Reply

HELD_SECONDS = 60.0  # at most
KNOWN_FIELDS = frozenset({"model", "messages", "temperature", "top_p", "n", "stream", "max_completion_tokens",
                          "presence_penalty", "frequency_penalty", "response_format", "stop"})  # fmt: skip
NOTHING: dict[str, Any] = dict.fromkeys(("vendor", "date", "total", "tax", "currency", "category", "items"))


class OpenAi:
    """Reads the receipts that it was told of, by their bytes; of any other picture it reads nothing.

    Args:
        key: the account's secret.
    """

    def __init__(self, key: str) -> None:
        self.pictures: list[str] = []
        self._key = key
        self._known: dict[str, dict[str, Any]] = {}
        self._held: dict[str, threading.Event] = {}

    def expect(self, number: int, *, without: Collection[str] = (), **misread: object) -> Sample:
        """Be able to read the drawn receipt of this number, but for what is misread or missing; return what it says."""
        read = read_by_model(make_sample(number)) | misread
        self._known[_sha256(number)] = {name: value for name, value in read.items() if name not in without}
        return make_sample(number)

    def hold(self, number: int) -> threading.Event:
        """Do not answer who asks next about the drawn receipt of this number before the event is set."""
        return self._held.setdefault(_sha256(number), threading.Event())

    def answer(self, call: Call) -> Reply:
        """Answer as OpenAI does."""
        if call.headers.get("Authorization") != f"Bearer {self._key}":
            return _refused(401, "Incorrect API key provided.")
        if (call.method, call.path) != ("POST", "/v1/chat/completions"):
            return _refused(404, f"Invalid URL ({call.method} {call.path})")
        asked = call.json()
        if unknown := set(asked) - KNOWN_FIELDS:
            return _refused(400, f"Unrecognized request argument supplied: {unknown.pop()}")
        pictures = [part for message in asked["messages"] for part in _parts(message) if part["type"] == "image_url"]
        if len(pictures) != 1:
            return _refused(400, "This stand-in reads one picture.")
        said = json.dumps({"output": self._read(pictures[0]["image_url"]["url"])})
        return Reply(200, _completion(asked["model"], said))

    def _read(self, url: str) -> dict[str, Any]:
        head, _, data = url.partition(",")
        assert head == "data:image/jpeg;base64", head
        self.pictures.append(hashlib.sha256(base64.b64decode(data, validate=True)).hexdigest())
        if held := self._held.pop(self.pictures[-1], None):
            held.wait(HELD_SECONDS)
        return self._known.get(self.pictures[-1], NOTHING)


def read_by_model(sample: Sample) -> dict[str, Any]:
    """Return what a good model reads of a drawn receipt."""
    return {
        "vendor": sample.shop,
        "date": sample.bought_on.isoformat(),
        "total": sample.total / 100,
        "tax": sample.vat / 100,
        "currency": "EUR",
        "category": "Groceries",
        "items": [{"name": item.name, "quantity": item.count, "price": item.total / 100} for item in sample.items],
    }


def _sha256(number: int) -> str:
    return hashlib.sha256(draw_receipt(number, size=SMALL)).hexdigest()


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _completion(model: str, said: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }


def _refused(status: int, message: str) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})
