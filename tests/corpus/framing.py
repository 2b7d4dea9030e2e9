"""HTTP itself, bent: lengths, chunks, lines, headers and targets, and requests smuggled behind others (RFC 9112)."""

from collections.abc import Iterator

from tests.uploads import UPLOAD

from .callbacks import GLOBAL, SUCCESS
from .wire import Row, Site, head, rows

BAD, TOO_LONG, TOO_LARGE = "400 bad_request", "413 file_too_large", "413 body_too_large"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = {"Transfer-Encoding": "chunked"}


def framing(site: Site) -> list[Row]:
    """Return the rows."""
    tables = {
        "length": lengths(site),
        "chunks": chunks(site),
        "both": smuggled(site),
        "line": lines(site),
        "header": headers(site),
        "target": targets(site),
        "version": versions(site),
    }
    return [row for group, table in tables.items() for row in rows(table, group)] + cut_short(site)


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
    far = {"Content-Length": str(10**12)}
    yield "10¹² of an upload", head("POST", UPLOAD, _host(site) | far), TOO_LONG
    yield "21 MB of an upload", head("POST", UPLOAD, _host(site) | {"Content-Length": "22020096"}), TOO_LONG
    for name, too_much in {"leave asked for 10¹²": 10**12, "leave asked for a little too much": 10_600_000}.items():
        asked = {"Content-Length": str(too_much), "Expect": "100-continue"}
        yield name, head("POST", UPLOAD, _host(site) | asked), TOO_LONG
    asked = {"Expect": "100-continue"}
    yield "leave asked, and given", site.callback(b'{"status": "done"}', asked), "100, 400 invalid"
    yield "leave asked for nothing", site.message("GET", "/health", headers=asked), "200"
    yield "another expectation", site.message("GET", "/health", headers={"Expect": "coffee"}), "200"
    yield "body of a GET", site.message("GET", "/health", b"x" * 10_000), "200"


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


def lines(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield what is hardly HTTP."""
    for name, request in {
        "LF alone": HEALTH.replace(b"\r\n", b"\n"),
        "LF alone, once": HEALTH.replace(b"\r\n", b"\n", 1),
        "CR alone": HEALTH.replace(b"\r\n", b"\r"),
        "TLS": bytes.fromhex("16030100f8010000f40303") + bytes(100),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "SMTP": b"EHLO example.com\r\n\r\n",
        "Redis": b"*1\r\n$4\r\nPING\r\n\r\n",
        "noise": bytes(range(256)),
        "NULs": bytes(1000),
        "empty first line, with headers": b"\r\nHost: x\r\n\r\n",
        "method alone": b"GET\r\n\r\n",
        "no method": b"/health HTTP/1.1\r\nHost: x\r\n\r\n",
        "two blanks": b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n",
        "tabs": b"GET\t/health\tHTTP/1.1\r\nHost: x\r\n\r\n",
        "more behind the version": b"GET /health HTTP/1.1 x\r\nHost: x\r\n\r\n",
        "answer": b"HTTP/1.1 200 OK\r\n\r\n",
        "non-ASCII method": b"G\xc9T /health HTTP/1.1\r\nHost: x\r\n\r\n",
    }.items():
        yield name, request, BAD
    yield "blank lines before it", b"\r\n\r\n" + HEALTH, "200"
    yield "path of 70 KB", HEALTH.replace(b"/health", b"/" + b"x" * 70_000), "431 headers_too_large"


def headers(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield odd headers on a good request."""
    for name, header, expected in [
        ("without a colon", b"nonsense", BAD),
        ("without a name", b": x", BAD),
        ("blank before the colon", b"X : y", BAD),
        ("blank before the name", b" X: y", BAD),
        ("blank in the name", b"X Y: z", BAD),
        ("folded", b"X: y\r\n\tz", BAD),
        ("NUL in the name", b"X\0: y", BAD),
        ("NUL in the value", b"X: \0", BAD),
        ("bell", b"X: \x07", BAD),
        ("DEL", b"X: \x7f", BAD),
        ("CR alone", b"X: a\rb", BAD),
        ("LF alone", b"X: a\nb", BAD),
        ("name that is not ASCII", "Ü: x".encode(), BAD),
        ("value that is not ASCII", b"X: \xff", "200"),
        ("value empty", b"X:", "200"),
        ("name of 10,000 letters", b"X" * 10_000 + b": y", "200"),
        ("30 KB", b"X: " + b"y" * 30_000, "200"),
        ("100 KB", b"X: " + b"y" * 100_000, "431 headers_too_large"),
        ("100 KB in 20,000", b"\r\n".join([b"X: y"] * 20_000), "431 headers_too_large"),
        ("5,000 of them", b"\r\n".join([b"X: y"] * 5_000), "200"),
        ("300 KB that never end", b"X: " + b"y" * 300_000, "431 headers_too_large"),
    ]:
        yield name, HEALTH.replace(b"Host: x", b"Host: x\r\n" + header), expected
    asked = b"GET /api/v1/schema/ HTTP/1.1\r\nConnection: close\r\n"
    for name, host, expected in [
        ("host missing", b"", BAD),
        ("host empty", b"Host: \r\n", BAD),
        ("host of others", b"Host: evil.example\r\n", BAD),
        ("host twice", b"Host: %b\r\nHost: evil.example\r\n" % site.host.encode(), BAD),
        ("host with a path", b"Host: %b/evil\r\n" % site.host.encode(), BAD),
        ("host with a user", b"Host: x@%b\r\n" % site.host.encode(), BAD),
        ("host of others, forwarded", b"Host: %b\r\nX-Forwarded-Host: evil.example\r\n" % site.host.encode(), "200"),
        ("host of no port", b"Host: 127.0.0.1:\r\n", BAD),
    ]:
        yield name, asked + host + b"\r\n", expected
    probe = b"GET /health HTTP/%s\r\nConnection: close\r\n%s\r\n"  # which is answered under any name
    for name, version, hosts, expected in [
        ("of a probe missing", b"1.1", b"", BAD),
        ("of a probe twice", b"1.1", b"Host: x\r\nhOST: x\r\n", BAD),
        ("of an old probe missing", b"1.0", b"", "200"),
    ]:
        yield f"host {name}", probe % (version, hosts), expected


def targets(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield the other forms of a target (section 3.2)."""
    api, own = "/api/v1/schema/", f"http://{site.host}"
    for name, target, expected in [
        ("absolute", f"{own}{api}", "200"),
        ("absolute, of others", f"http://evil.example{api}", BAD),
        ("absolute, with a user", f"http://x@{site.host}{api}", BAD),
        ("absolute, IPv6 that never ends", f"http://[::1{api}", BAD),
        ("absolute, without a path", own, BAD),
        ("absolute, without a host", f"http://{api}", "200"),
        ("asterisk", "*", BAD),
        ("authority", site.host, BAD),
        ("empty", "", BAD),
        ("relative", "api/v1/schema/", BAD),
        ("javascript", "javascript:alert(1)", BAD),
        ("query alone", "?x", BAD),
        ("NUL", "/api/\0", BAD),
    ]:
        yield name, site.message("GET", target), expected
    yield "asterisk for OPTIONS", site.message("OPTIONS", "*"), BAD


def versions(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield versions of HTTP."""
    for name, version, expected in [
        ("1.0", b" HTTP/1.0", "200"),
        ("0.9", b"", BAD),
        ("0.9, named", b" HTTP/0.9", BAD),
        ("1.2", b" HTTP/1.2", BAD),
        ("2.0", b" HTTP/2.0", BAD),
        ("1", b" HTTP/1", BAD),
        ("1.10", b" HTTP/1.10", BAD),
        ("in lower case", b" http/1.1", BAD),
        ("of another protocol", b" RTSP/1.0", BAD),
    ]:
        yield name, HEALTH.replace(b" HTTP/1.1", version), expected


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
