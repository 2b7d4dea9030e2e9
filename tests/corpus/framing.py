"""HTTP itself, bent: lengths, chunks, odd heads, requests smuggled behind others, and those cut short (RFC 9112)."""

from collections.abc import Iterator

from accounting.api.body_limits import MAX_BODY_BYTES
from tests.support.uploads import UPLOAD

from .callbacks import GLOBAL, SUCCESS
from .heads import BAD, HEALTH, heads
from .wire import Row, Site, head, rows

TOO_LONG, TOO_LARGE = "413 file_too_large", "413 body_too_large"
CHUNKED = {"Transfer-Encoding": "chunked"}


def framing(site: Site) -> list[Row]:
    """Return the rows."""
    tables = {
        "length": lengths(site),
        "chunks": chunks(site),
        "both": smuggled(site),
    }
    return [row for group, table in tables.items() for row in rows(table, group)] + heads(site) + cut_short(site)


def lengths(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield lengths that are none, or that nobody could send."""
    whole = site.callback(SUCCESS)
    table: list[tuple[str, str | bytes, str]] = [
        ("negative", "-1", BAD),
        ("with a plus sign", "+21", BAD),
        ("with an underscore", "2_1", BAD),
        ("hexadecimal", "0x15", BAD),
        ("with a point", "21.0", BAD),
        ("with an exponent", "2e1", BAD),
        ("empty", "", BAD),
        ("Arabic-Indic digits", "٢١", BAD),
        ("superscript", b"\xb2", BAD),
        ("two in one", "21, 21", BAD),
        ("twice", "21\r\nContent-Length: 21", BAD),
        ("twice, differently", "21\r\nContent-Length: 5", BAD),
        ("folded", "\r\n 21", BAD),
        ("5,000 digits", "1" * 5000, BAD),
        ("10¹²", str(10**12), TOO_LARGE),
        ("2⁶⁴", str(2**64), TOO_LARGE),
        ("with an underscore in its name", "21\r\nContent_Length: 5", "400 invalid"),
        ("with zeros before it", "0000021", "400 invalid"),
    ]
    for name, length, expected in table:
        request = whole.replace(b"Content-Length: 21", b"Content-Length: " + _bytes(length))
        yield name, request.replace(b"success", b"done   "), expected
    yield from uploads_too_long(site)
    asked = {"Expect": "100-continue"}
    yield "leave asked, and given", site.callback(b'{"status": "done"}', asked), "100, 400 invalid"
    longest = b'{"status": "done"}'.ljust(MAX_BODY_BYTES)
    yield "as long as may be", site.callback(longest), "400 invalid"
    yield "leave asked for as much as may be", site.callback(longest, asked), "100, 400 invalid"
    yield "leave asked for one byte more", site.callback(longest + b" ", asked), TOO_LARGE
    yield "leave asked for nothing", site.message("GET", "/health", headers=asked), "200"
    yield "another expectation", site.message("GET", "/health", headers={"Expect": "coffee"}), "200"
    yield "body of a GET", site.message("GET", "/health", b"x" * 10_000), "200"


def uploads_too_long(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield lengths of uploads that are refused before a body comes; without credentials earlier than with some."""
    known = _host(site) | {"Authorization": f"Api-Key {site.key}"}
    far, large = {"Content-Length": str(10**12)}, {"Content-Length": "22020096"}
    yield "10¹² of an upload", head("POST", UPLOAD, known | far), TOO_LONG
    yield "21 MB of an upload", head("POST", UPLOAD, known | large), TOO_LONG
    for name, too_much in {"leave asked for 10¹²": 10**12, "leave asked for a little too much": 10_600_000}.items():
        asked = {"Content-Length": str(too_much), "Expect": "100-continue"}
        yield name, head("POST", UPLOAD, known | asked), TOO_LONG
    nobody = {"Content-Length": "3000000"}
    for path in (UPLOAD, f"/{UPLOAD}/", "/api/v1/receipts", "/api/v1/receipts/"):
        yield f"3 MB of nobody's upload to {path}", head("POST", path, _host(site) | nobody), "401 not_authenticated"
    yield (
        "3 MB of nobody's in chunks",
        head("POST", UPLOAD, _host(site) | CHUNKED) + b"2dc6c0\r\n",
        "401 not_authenticated",
    )
    asked = {"Content-Length": "1100000", "Expect": "100-continue"}
    yield "leave asked for nobody's", head("POST", UPLOAD, _host(site) | asked), "401 not_authenticated"
    for path in ("/admin/jobs/joblog/add/", "/admin/jobs/joblog/add/file/"):
        yield f"3 MB of nobody's to {path}", head("POST", path, _host(site) | nobody), "403 not_authenticated"
    for method, path in [("PUT", UPLOAD), ("GET", UPLOAD), ("POST", f"{UPLOAD}s"), ("POST", f"{UPLOAD}/x")]:
        yield f"3 MB by {method} to {path}", head(method, path, known | nobody), TOO_LARGE


def chunks(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield bodies in chunks; those that are well-formed are answered like any other body."""
    for name, body, expected in [
        ("in one", b"5\r\n{ \r\n}\r\n0\r\n\r\n", "400 invalid"),
        ("byte by byte", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "400 invalid"),
        ("with zeros before its size", b"0002\r\n{}\r\n000\r\n\r\n", "400 invalid"),
        ("with an extension", b'2;name="value";x\r\n{}\r\n0;last\r\n\r\n', "400 invalid"),
        ("with a trailer", b"2\r\n{}\r\n0\r\nX-Callback-Token: x\r\n\r\n", "400 invalid"),
        ("none", b"0\r\n\r\n", "400 invalid"),
        ("size negative", b"-2\r\n{}\r\n0\r\n\r\n", BAD),
        ("size with 0x", b"0x2\r\n{}\r\n0\r\n\r\n", BAD),
        ("size with a plus sign", b"+2\r\n{}\r\n0\r\n\r\n", BAD),
        ("size with an underscore", b"0_2\r\n{}\r\n0\r\n\r\n", BAD),
        ("size with a blank", b" 2\r\n{}\r\n0\r\n\r\n", BAD),
        ("size in Arabic-Indic digits", "٢\r\n{}\r\n0\r\n\r\n".encode(), BAD),
        ("size missing", b"\r\n{}\r\n0\r\n\r\n", BAD),
        ("size of letters", b"zz\r\n{}\r\n0\r\n\r\n", BAD),
        ("size of 40 digits", b"0" * 40 + b"\r\n\r\n", BAD),
        ("size of 2⁶⁴", b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n", TOO_LARGE),
        ("size of 3 MB", b"300000\r\n{}", TOO_LARGE),
        ("longer than its size", b"2\r\n{}x\r\n0\r\n\r\n", BAD),
        ("shorter than its size", b"5\r\n{}\r\n0\r\n\r\n\r\n", BAD),
        ("lines that end with LF", b"2\n{}\n0\n\n" + bytes(2000), BAD),
        ("LF before the line's end", b"2\n\r\n{}\r\n0\r\n\r\n", BAD),
        ("NUL in an extension", b"2;\x00\r\n{}\r\n0\r\n\r\n", BAD),
        ("extension of 5,000 letters", b"2;" + b"x" * 5000 + b"\r\n{}\r\n0\r\n\r\n", BAD),
        ("size of 5,000 digits that never ends", b"1" * 5000, BAD),
        ("trailer of 5,000 letters", b"2\r\n{}\r\n0\r\nX: " + b"x" * 5000 + b"\r\n\r\n", BAD),
        ("10,000 trailers", b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", "400 invalid"),
        ("1.5 MB of them", b"180000\r\n" + b" " * 0x180000 + b"\r\n0\r\n\r\n", TOO_LARGE),
        ("2.5 MB of one byte each", b"1\r\n \r\n" * 450_000, BAD),
    ]:
        yield name, _chunked(site, body), expected
    odd = _chunked(site, b"2\r\n{}\r\n0\r\n\r\n")
    for name, coding in {
        "gzip": "gzip",
        "gzip, chunked": "gzip, chunked",
        "chunked, gzip": "chunked, gzip",
        "identity": "identity",
        "chunked twice": "chunked, chunked",
        "chunked in two headers": "chunked\r\nTransfer-Encoding: chunked",
        "chunked and identity": "chunked\r\nTransfer-Encoding: identity",
        "xchunked": "xchunked",
        "empty": "",
        "comma": ",",
        "quoted": '"chunked"',
        "vertical tab": "\x0bchunked",
        "no-break space": "\xa0chunked",
        "folded": "\r\n chunked",
    }.items():
        yield f"coding {name}", odd.replace(b"coding: chunked", b"coding: " + coding.encode("latin-1")), BAD
    yield "coding in upper case", odd.replace(b"coding: chunked", b"coding: CHUNKED"), "400 invalid"
    yield "of an HTTP/1.0 request", odd.replace(b"HTTP/1.1", b"HTTP/1.0"), BAD
    upload = {"Authorization": f"Api-Key {site.key}", "Content-Type": "multipart/form-data; boundary=a-boundary"}
    body = site.upload().partition(b"\r\n\r\n")[2]
    request = head("POST", UPLOAD, _host(site) | upload | CHUNKED)
    yield "an upload", request + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", "202"
    yield "an upload of 10¹² bytes", request + b"e8d4a51000\r\n" + bytes(1000), TOO_LONG


def smuggled(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield requests within or behind others: each is answered for itself, or the connection ends."""
    alive = HEALTH.replace(b"Connection: close\r\n", b"")
    token = {"X-Callback-Token": GLOBAL, "Content-Type": "application/json"}
    path, known = f"/api/v1/jobs/{site.open_job}/callback", _host(site) | token
    inner = site.callback(SUCCESS)
    yield from [
        (
            "length, then coding",
            head("POST", path, known | {"Content-Length": "5"} | CHUNKED) + b"0\r\n\r\n" + inner,
            BAD,
        ),
        (
            "coding, then length",
            head("POST", path, known | CHUNKED | {"Content-Length": "4"}) + b"0\r\n\r\n" + inner,
            BAD,
        ),
        (
            "coding with a blank",
            head("POST", path, known | {"Transfer-Encoding ": "chunked", "Content-Length": "5"}),
            BAD,
        ),
        (
            "coding with an underscore",
            head("POST", path, known | {"Transfer_Encoding": "chunked", "Content-Length": "2"}) + b"{}",
            "400 invalid",
        ),
        ("behind a bad request", b"GET / HTTP/1.1\r\nno header\r\n\r\n" + inner, BAD),
        (
            "behind a body that is refused",
            head("POST", path, known | {"Content-Length": "99999999"}) + inner,
            TOO_LARGE,
        ),
        ("within a body", site.callback(HEALTH), "400 json_invalid"),
        ("two, one after the other", alive + HEALTH, "200, 200"),
        ("twenty, one after the other", alive * 19 + HEALTH, ", ".join(["200"] * 20)),
        ("blank lines between two", alive + b"\r\n\r\n" + HEALTH, "200, 200"),
        ("good, then bad", alive + b"nonsense\r\n\r\n", f"200, {BAD}"),
        ("behind one that closes", HEALTH + HEALTH, "200"),
    ]


def cut_short(site: Site) -> list[Row]:
    """Return requests that end too early: nobody is left to answer, and nothing is taken."""
    upload = site.upload()
    return [
        Row("cut: nothing at all", b"", "closed", then_ends=True),
        Row("cut: within the first line", upload[:10], "closed", then_ends=True),
        Row("cut: within the headers", upload[:100], "closed", then_ends=True),
        Row("cut: before the body", upload.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", "closed", then_ends=True),
        Row("cut: within the body", upload[:-1], "closed", then_ends=True),
        Row("cut: within a chunk", _chunked(site, b"ff\r\n{"), "closed", then_ends=True),
        Row("cut: before the last chunk", _chunked(site, b"2\r\n{}\r\n"), "closed", then_ends=True),
        Row("cut: after the whole", HEALTH, "200", then_ends=True),
    ]


def _chunked(site: Site, body: bytes) -> bytes:
    """Return a callback without a status, in these chunks."""
    token = {"X-Callback-Token": GLOBAL, "Content-Type": "application/json"}
    return head("POST", f"/api/v1/jobs/{site.open_job}/callback", _host(site) | token | CHUNKED) + body


def _host(site: Site) -> dict[str, str]:
    return {"Host": site.host, "Connection": "close"}


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
