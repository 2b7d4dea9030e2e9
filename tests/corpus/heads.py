"""The head of a request, bent: its first line, headers, target and version (RFC 9112)."""

from collections.abc import Iterator

from .wire import Row, Site, rows

BAD = "400 bad_request"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def heads(site: Site) -> list[Row]:
    """Return the rows."""
    tables = {
        "line": lines(site),
        "header": headers(site),
        "target": targets(site),
        "version": versions(site),
    }
    return [row for group, table in tables.items() for row in rows(table, group)]


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
        "60,000 digits, and no version": b"GET a://" + b"1" * 60_000 + b" X\r\nHost: x\r\n\r\n",
        "60,000 digits, and another version": b"GET a://" + b"1" * 60_000 + b" HTTP/1.10\r\nHost: x\r\n\r\n",
        "60,000 digits of another host": b"GET a://" + b"1" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
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
        ("value behind 90 blanks", b"X:" + b" " * 90 + b"y", "200"),
        ("value behind 60,000 blanks", b"X:" + b" " * 60_000 + b"y", BAD),
        ("value of 60,000 tabs", b"X:" + b"\t" * 60_000, BAD),
        ("value behind 20,000 lines of one blank", b"X:" + b"\r\n " * 20_000 + b"y", BAD),
        ("name of 10,000 letters", b"X" * 10_000 + b": y", "200"),
        ("30 KB", b"X: " + b"y" * 30_000, "200"),
        ("100 KB", b"X: " + b"y" * 100_000, "431 headers_too_large"),
        ("100 KB in 20,000", b"\r\n".join([b"X: y"] * 20_000), "431 headers_too_large"),
        ("cookie of 60,000 backslashes", b'Cookie: a="' + b"\\" * 60_000 + b'"', "200"),
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
