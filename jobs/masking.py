"""What N8N answered, as far as staff may read it: bounded, and without a secret, an address or a byte of a picture."""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from .answers import Answer
from .models import JobLog
from .signatures import callback_token
from .texts import with_each_text

KEPT = 2_000
GAP = "…"
READABLE = frozenset({"", "application/json", "application/problem+json", "text/plain", "text/html"})
CUT_OFF = 300  # at the end of what was read, a secret may have been cut in two

# What is as long as a key, a token or a line of base64, in any spelling: hex, base64, with escapes of JSON or URLs.
LONG_WORD = re.compile(r"[\w+/=%\\.~:-]{25,}")
SHORTEST_SECRET = 4  # a shorter part of an address is a word like any other
KNOWN_PARTS = frozenset({"webhook", "webhook-test", "rest"})


def readable(answer: Answer, job: JobLog) -> str:
    """Return the beginning of an answer's body; "" where it is no text."""
    if answer.content_type not in READABLE:
        return ""
    try:
        return masked(_decoded(answer), job)
    except UnicodeDecodeError:
        return ""


def _decoded(answer: Answer) -> str:
    """Return the body as text; where it goes on, without its end, which may be the middle of a letter."""
    if not answer.goes_on:
        return answer.body.decode()
    return getincrementaldecoder("utf-8")().decode(answer.body[:-CUT_OFF])


def masked(text: str, job: JobLog) -> str:
    """Return the text without what N8N was sent, and not longer than is kept."""
    text = _without(text, _secrets(job))
    plain = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    text = LONG_WORD.sub(GAP, plain)
    return text if len(text) <= KEPT else text[:KEPT] + GAP


def without_keys(said: Any, job: JobLog) -> Any:
    """Return what a workflow said, a text or data, without any key that it quotes, as of a request that failed."""
    keys = list(_keys(job))
    return with_each_text(said, lambda text: _without(text, keys))


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, GAP)
    return text


def _secrets(job: JobLog) -> Iterator[str]:
    """Yield what N8N was sent and may send back, and is not to be kept a second time."""
    yield from _keys(job)
    address = urlsplit(settings.N8N_WEBHOOK_URL)
    for part in {*re.split(r"[/?&=]", f"{address.path}/{address.query}"), job.filename, PurePath(job.filename).stem}:
        if len(part) >= SHORTEST_SECRET and part not in KNOWN_PARTS:
            yield from (part, unquote(part), json.dumps(part)[1:-1])


def _keys(job: JobLog) -> Iterator[str]:
    yield from filter(None, [settings.N8N_API_KEY, settings.N8N_PUBLIC_API_KEY, callback_token(job.job_id)])
    yield from filter(None, [*settings.N8N_WEBHOOK_SECRET, *settings.CALLBACK_SECRET_TOKEN])
