"""Callbacks as careless workflows, and people who guess, send them."""

import gzip
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from jobs.signatures import callback_token
from tests.support.servers import SETTINGS

from .wire import Headers, Row, Site, rows

INVALID, NO_JSON, NO_TOKEN = "400 invalid", "400 json_invalid", "401 callback_token_invalid"
ENCODED = "415 encoding_not_supported"
NO_JOB, NOT_FOUND, OTHER_MEDIA = "404 job_not_found", "404 not_found", "415 unsupported_media_type"
GLOBAL = SETTINGS["CALLBACK_SECRET_TOKEN"].split(",")[0]
NOBODY = UUID(int=4 << 76 | 8 << 60)
SUCCESS = b'{"status": "success"}'


def callbacks(site: Site) -> list[Row]:
    """Return the rows; those that are taken are reports on `ended_job`."""
    tables = {
        "JSON": bodies(site),
        "field": fields(site),
        "token": tokens(site),
        "job": jobs(site),
        "content type": content_types(site),
        "execution": executions(site),
    }
    return [row for group, table in tables.items() for row in rows(table, group)]


def bodies(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield bodies that are no JSON, or JSON that nobody can keep (RFC 8259)."""
    good = SUCCESS.decode()
    for name, body in {
        "blank": b"   ",
        "cut": SUCCESS[:-1],
        "two": SUCCESS * 2,
        "text": b"success",
        "single quotes": b"{'status': 'success'}",
        "comma at its end": b'{"status": "success",}',
        "comment": b'{"status": "success"} // ok',
        "form": b"status=success",
        "XML": b"<status>success</status>",
        "array": b'["success"]',
        "array of objects, as N8N's items": b"[" + SUCCESS + b"]",
        "string": b'"success"',
        "number": b"1",
        "true": b"true",
        "null": b"null",
        "NaN": b'{"status": "success", "data": NaN}',
        "Infinity": b'{"status": "success", "data": -Infinity}',
        "1e999": b'{"status": "success", "data": 1e999}',
        "-1e999, deep": b'{"status": "success", "data": [[{"a": -1e999}]]}',
        "integer of 5,000 digits": b'{"status": "success", "data": ' + b"9" * 5000 + b"}",
        "half a surrogate pair, raw": b'{"status": "success", "message": "\xed\xa0\x80"}',
        "not UTF-8": '{"status": "success", "message": "März"}'.encode("latin-1"),
        "UTF-16": good.encode("utf-16"),
        "UTF-32": good.encode("utf-32"),
        "UTF-7": good.encode("utf-7") + b"+AAA-",
        "BOM": b"\xef\xbb\xbf" + SUCCESS,
        "NUL before it": b"\0" + SUCCESS,
        "control character within": b'{"status": "success", "message": "a\x01b"}',
        "100,000 levels": b'{"status": "success", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "100,000 levels that never end": b'{"a":' * 100_000,
        "gzip": gzip.compress(SUCCESS),
    }.items():
        yield name, site.callback(body), NO_JSON
    yield "empty", site.callback(b""), INVALID
    yield "1 MiB and a little", site.callback(SUCCESS.ljust(1024 * 1024 + 1)), "413 body_too_large"
    yield "60,000 keys", site.callback(_json(data={str(key): 1 for key in range(60_000)})), INVALID
    yield "200,000 keys", site.callback(_json(data={str(key): 1 for key in range(200_000)})), "413 body_too_large"
    yield "negative zero", _good(site, data=-0.0), "200"
    yield "integer of 401 digits", _good(site, data=10**400), "200"
    yield "the same key twice: the last counts", site.callback(b'{"status": "success", "status": "no"}'), INVALID
    yield "1 MiB of blanks around it", site.callback(SUCCESS.ljust(1024 * 1024), job=site.ended_job), "200"


def fields(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield fields that are missing, or of another kind."""
    for name, fields in {
        "no status": {},
        "status null": {"status": None},
        "status empty": {"status": ""},
        "status in upper case": {"status": "SUCCESS"},
        "status with a blank": {"status": "success "},
        "status unknown": {"status": "done"},
        "status of ours": {"status": "queued"},
        "status number": {"status": 1},
        "status true": {"status": True},
        "status list": {"status": ["success"]},
        "status object": {"status": {"value": "success"}},
        "status homograph": {"status": "suc\u0441ess"},
        "status with NUL": {"status": "success\0"},
        "status of 100,000 letters": {"status": "s" * 100_000},
        "message list": {"status": "success", "message": ["x"]},
        "message object": {"status": "success", "message": {"text": "x"}},
        "message true": {"status": "success", "message": True},
        "execution list": {"status": "success", "execution_id": [17]},
        "data 21 levels deep": {"status": "success", "data": _nested(21)},
        "data 900 levels deep": {"status": "success", "data": _nested(900)},
        "data of 200,001 characters": {"status": "success", "data": "x" * 200_001},
        "page number": {"status": "success", "notion_page_url": 1.5},
        "page list": {"status": "success", "notion_page_url": ["https://notion.so/x"]},
    }.items():
        yield name, site.callback(json.dumps(fields).encode()), INVALID
    for url in (
        "javascript:alert(1)", "JAVASCRIPT:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
        "data:text/html,x", "vbscript:x", "//evil.example", "/admin/", "ftp://notion.so/x", "https:/notion.so",
        "notion.so/x", "\\\\evil\\x",
    ):  # fmt: skip
        yield f"page {url!a}", site.callback(_json(notion_page_url=url)), INVALID
    taken: dict[str, dict[str, Any]] = {
        "message of 100,000 letters: cut": {"message": "m" * 100_000},
        "message number": {"message": 12.5},
        "message null": {"message": None},
        "message with NUL": {"message": "a\0b"},
        "message with half a surrogate pair": {"message": "\ud800"},
        "message with HTML": {"message": "<script>alert(1)</script>"},
        "message with half of what": {"message": "\u202e\ufeff\U0001f9fe"},
        "execution number": {"execution_id": 17},
        "execution with NUL": {"execution_id": "1\x007"},
        "execution of 10,000 letters": {"execution_id": "e" * 10_000},
        "page empty": {"notion_page_url": ""},
        "page of 10,000 letters": {"notion_page_url": "https://notion.so/" + "x" * 10_000},
        "unknown field": {"job_id": str(NOBODY), "attempts": 99},
        "data null": {"data": None},
        "data with half a surrogate pair as a key": {"data": {"\udfff": 1}},
        "data of another kind": {"data": [None, True, "x", {"a": 1.5}]},
        "data 20 levels deep": {"data": _nested(20)},
        "data with NUL": {"data": {"a": "\0", "\0": 1}},
        "data with NUL after a backslash": {"data": {"a": "\\\0"}},
        "page with NUL": {"notion_page_url": "https://notion.so/\0"},
        "data with NUL in letters": {"data": {r"\u0000": r"C:\\u0000"}},
        "prototype": {"data": {"__proto__": {"admin": True}, "constructor": 1}},
    }
    for name, field in taken.items():
        yield name, _good(site, **field), "200"


def tokens(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield tokens that open nothing."""
    own, other = callback_token(site.open_job), callback_token(site.ended_job)
    for name, token in {
        "none": None,
        "empty": "",
        "wrong": "wrong",
        "another job's": other,
        "in upper case": own.upper(),
        "cut": own[:-1],
        "longer": f"{own}0",
        "quoted": f'"{own}"',
        "with Bearer": f"Bearer {own}",
        "twice": f"{own}\r\nX-Callback-Token: {own}",
        "two in one": f"{own}, {GLOBAL}",
        "both global ones": SETTINGS["CALLBACK_SECRET_TOKEN"],
        "not ASCII": "é€",
        "not UTF-8": b"\xff\xfe",
        "8,000 characters": "t" * 8000,
        "undefined, as JavaScript writes it": "undefined",
        "expression that N8N did not evaluate": "{{ $json.callback_token }}",
    }.items():
        yield name, site.callback(SUCCESS, {"X-Callback-Token": token}), NO_TOKEN
    unnamed: dict[str, str | bytes | None] = {"X-Callback-Token": None}
    for name in ("X_Callback_Token", "X-Callback_Token", "HTTP_X_CALLBACK_TOKEN", "Callback-Token", "Authorization"):
        yield f"as {name}", site.callback(SUCCESS, unnamed | {name: own}), NO_TOKEN
    yield "in the body", site.callback(_json(callback_token=own), unnamed), NO_TOKEN
    yield "NUL", site.callback(SUCCESS, {"X-Callback-Token": f"{own}\0"}), "400 bad_request"
    yield "folded", site.callback(SUCCESS, {"X-Callback-Token": f"\r\n {own}"}), "400 bad_request"
    yield "name with a blank", site.callback(SUCCESS, unnamed | {"X-Callback-Token ": own}), "400 bad_request"
    yield "asked for before the body is looked at", site.callback(b"no JSON", {"X-Callback-Token": "wrong"}), NO_TOKEN
    for name, token in {"name in lower case": "x-callback-token", "name in upper case": "X-CALLBACK-TOKEN"}.items():
        yield name, _good(site, {"X-Callback-Token": None, token: other}), "200"
    yield "blanks around it", _good(site, {"X-Callback-Token": f" \t{other}\t "}), "200"
    yield "global", _good(site, {"X-Callback-Token": GLOBAL}), "200"


def jobs(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield jobs that there are not, or that have ended."""
    glob = {"X-Callback-Token": GLOBAL}
    yield "nobody's, its own token", site.callback(SUCCESS, job=NOBODY), NO_JOB
    yield "nobody's, global token", site.callback(SUCCESS, glob, job=NOBODY), NO_JOB
    yield "nobody's, in upper case", site.callback(SUCCESS, glob, job=str(NOBODY).replace("4", "A")), NO_JOB
    yield "nobody's, no token", site.callback(SUCCESS, {"X-Callback-Token": "x"}, job=NOBODY), NO_TOKEN
    for name, odd in {
        "undefined": "undefined",
        "number": "1",
        "without dashes": site.open_job.hex,
        "braces": f"{{{site.open_job}}}",
        "expression": "%7B%7B%20$json.job_id%20%7D%7D",
        "with a line break": f"{site.open_job}%0a",
        "with NUL": f"{site.open_job}%00",
        "dots": f"{NOBODY}/../{site.open_job}",
    }.items():
        yield name, site.callback(SUCCESS, glob, job=odd), NOT_FOUND
    yield "ended otherwise", site.callback(b'{"status": "failure"}', job=site.ended_job), "409 outcome_contradicts"
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        request = site.message(method, f"/api/v1/jobs/{site.open_job}/callback", SUCCESS, glob)
        yield f"method {method}", request, "405 method_not_allowed"


def content_types(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield callbacks that claim to be something else, or to be written otherwise."""
    for name, content_type in {
        "none": None,
        "empty": "",
        "text": "text/plain",
        "form": "application/x-www-form-urlencoded",
        "multipart": "multipart/form-data; boundary=x",
        "JSON of another kind": "application/problem+json",
        "nonsense": "json",
    }.items():
        yield name, site.callback(SUCCESS, {"Content-Type": content_type}), OTHER_MEDIA
    yield "gzip encoding", site.callback(gzip.compress(SUCCESS), {"Content-Encoding": "gzip"}), ENCODED
    for charset in ("utf-16", "latin-1", "hex", "undefined", "idna", "nonsense"):
        typed = {"Content-Type": f"application/json; charset={charset}"}
        yield f"character set {charset}", _good(site, typed), "200"
    yield "in upper case", _good(site, {"Content-Type": "APPLICATION/JSON"}), "200"


def executions(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield callbacks by execution, which open nothing here: no job has one."""
    for name, body, token, expected in [
        ("unknown", {"status": "success", "execution_id": "17"}, GLOBAL, NO_JOB),
        ("of 100,000 letters", {"status": "success", "execution_id": "1" * 100_000}, GLOBAL, INVALID),
        ("with NUL", {"status": "success", "execution_id": "\0"}, GLOBAL, NO_JOB),
        ("empty", {"status": "success", "execution_id": ""}, GLOBAL, INVALID),
        ("blank", {"status": "success", "execution_id": " "}, GLOBAL, INVALID),
        ("missing", {"status": "success"}, GLOBAL, INVALID),
        ("null", {"status": "success", "execution_id": None}, GLOBAL, INVALID),
        ("list", {"status": "success", "execution_id": ["17"]}, GLOBAL, INVALID),
        ("a job's token", {"status": "success", "execution_id": "17"}, callback_token(site.open_job), NO_TOKEN),
        ("no token", {"status": "success", "execution_id": "17"}, "", NO_TOKEN),
    ]:
        headers = {"Content-Type": "application/json", "X-Callback-Token": token}
        yield name, site.message("POST", "/api/v1/jobs/callback", json.dumps(body).encode(), headers), expected


def _good(site: Site, headers: Headers | None = None, **fields: Any) -> bytes:
    """Return a callback that is taken: the job's first success, or the same again."""
    return site.callback(_json(**fields), headers, job=site.ended_job)


def _json(**fields: Any) -> bytes:
    return json.dumps({"status": "success"} | fields).encode()


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value
