"""What surrounds the form: ids and addresses, keys, methods, paths and queries."""

from collections.abc import Iterator

from tests.factories import DATABASE_ID
from tests.support.uploads import UPLOAD, file_part, part

from .forms import BAD, END, INVALID
from .wire import Row, Site, rows

HEX = DATABASE_ID.replace("-", "")
NO_KEY, WRONG_KEY = "401 not_authenticated", "401 authentication_failed"
NOT_FOUND, NOT_ALLOWED, ODD_KEY = "404 not_found", "405 method_not_allowed", "400 idempotency_key_invalid"
NOBODY = "00000000-0000-4000-8000-000000000000"


def uploads_of_requests(site: Site) -> list[Row]:
    """Return the rows."""
    tables = {
        "id": ids(site),
        "Idempotency-Key": idempotency_keys(site),
        "Authorization": authorizations(site),
        "method": methods(site),
        "path": paths(site),
        "query": queries(site),
    }
    return [row for group, table in tables.items() for row in rows(table, group)]


def ids(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield ids of Notion databases; what is kept is the UUID only."""
    arabic, fullwidth = (HEX.translate({48 + n: zero + n for n in range(10)}) for zero in (0x660, 0xFF10))
    for name, text in {
        "plain": HEX,
        "dashed, in upper case": DATABASE_ID.upper(),
        "blanks around it": f" \t{HEX}\r\n ",
        "address": f"https://www.notion.so/shop/Receipts-{HEX}?v={NOBODY}",
        "address with a user": f"https://evil@notion.so/{HEX}",
        "address with a port": f"https://notion.so:8443/{HEX}",
        "address of a workspace": f"https://shop.notion.site/{HEX}#top",
    }.items():
        yield name, site.upload(_with_id(site.picture(), text.encode())), "202"
    picture = site.picture()
    for name, odd in {
        "empty": "",
        "blank": "   ",
        "31 digits": HEX[:31],
        "33 digits": f"{HEX}0",
        "no hex": "g" + HEX[1:],
        "braces": f"{{{DATABASE_ID}}}",
        "URN": f"urn:uuid:{DATABASE_ID}",
        "dashes elsewhere": f"{HEX[:4]}-{HEX[4:]}",
        "0x": f"0x{HEX[2:]}",
        "underscores": f"{HEX[:8]}_{HEX[9:]}",
        "Arabic-Indic digits": arabic,
        "fullwidth digits": fullwidth,
        "superscripts": HEX.replace("2", "²"),
        "NUL at its end": f"{HEX}\0",
        "NUL within": f"{HEX[:8]}\0{HEX[8:]}",
        "line break within": f"{HEX[:8]}\n{HEX[8:]}",
        "zero width space": f"{HEX}\u200b",
        "right-to-left mark": f"\u200f{HEX}",
        "two of them": f"{HEX},{HEX}",
        "null": "null",
        "SQL": f"{HEX}' OR '1'='1",
        "JSON": '{"$ne": null}',
        "template": "{{ settings.SECRET_KEY }}",
        "10,000 characters": "0" * 10_000,
        "address of 10,000 characters": f"https://notion.so/{'a' * 10_000}-{HEX}",
        "address of another host behind a user": f"https://notion.so@evil.example/{HEX}",
        "address of a host that ends alike": f"https://evilnotion.so/{HEX}",
        "address of a host that begins alike": f"https://notion.so.evil.example/{HEX}",
        "homograph": f"https://n\u043etion.so/{HEX}",
        "homograph, in ASCII": f"https://xn--ntion-jof.so/{HEX}",
        "fullwidth dot": f"https://notion\uff0eso/{HEX}",
        "backslash": f"https://evil.example\\@notion.so\\{HEX}",
        "http": f"http://notion.so/{HEX}",
        "javascript": f"javascript:alert('{HEX}')",
        "data": f"data:text/html,{HEX}",
        "file": f"file://notion.so/{HEX}",
        "no scheme": f"//notion.so/{HEX}",
        "IPv6 that never ends": f"https://[::1/{HEX}",
        "port that is none": f"https://notion.so:x/{HEX[:31]}",
        "only a view's": f"https://notion.so/shop?v={HEX}",
        "only a fragment's": f"https://notion.so/shop#{HEX}",
    }.items():
        yield name, site.upload(_with_id(picture, odd.encode())), INVALID
    for name, raw in {"not UTF-8": b"\xff\xfe" * 16, "half a surrogate pair": HEX.encode() + b"\xed\xa0\x80"}.items():
        yield name, site.upload(_with_id(picture, raw)), INVALID


def _with_id(picture: bytes, text: bytes) -> bytes:
    return file_part(data=picture) + part(b'Content-Disposition: form-data; name="notion_database_id"', text) + END


def idempotency_keys(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield keys of requests."""
    table: list[tuple[str, str | bytes, str]] = [
        ("empty", "", ODD_KEY),
        ("255 characters", "k" * 255, "202"),
        ("256 characters", "k" * 256, ODD_KEY),
        ("two words", "two words", ODD_KEY),
        ("tab", "a\tb", ODD_KEY),
        ("not ASCII", "é", ODD_KEY),
        ("not UTF-8", b"\xff", ODD_KEY),
        ("NUL", "a\0b", BAD),
        ("LF alone", "a\nX-Callback-Token: b", BAD),
        ("CR alone", "a\rb", BAD),
        ("folded", "a\r\n b", BAD),
        ("CRLF and another header", "split\r\nX-Injected: 1", "202"),
        ("twice", "a\r\nIdempotency-Key: b", ODD_KEY),
        ("new", "reused", "202"),
        ("reused with another picture", "reused", "422 idempotency_key_reused"),
    ]
    for name, key, expected in table:
        yield name, site.upload(headers={"Idempotency-Key": key}), expected
    yield "with an underscore: no key", site.upload(headers={"Idempotency_Key": "two words"}), "202"


def authorizations(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield keys of clients."""
    prefix, _, secret = site.key.partition(".")
    for name, header, expected in [
        ("none", None, NO_KEY),
        ("empty", "", NO_KEY),
        ("keyword alone", "Api-Key", WRONG_KEY),
        ("keyword in lower case", f"api-key {site.key}", "202"),
        ("two blanks", f"Api-Key  {site.key}", "202"),
        ("no blank", f"Api-Key{site.key}", NO_KEY),
        ("key alone", site.key, NO_KEY),
        ("Bearer", f"Bearer {site.key}", NO_KEY),
        ("Basic", "Basic YTpi", NO_KEY),
        ("another secret", f"Api-Key {prefix}.{'x' * 32}", WRONG_KEY),
        ("another prefix", f"Api-Key {'x' * 8}.{secret}", WRONG_KEY),
        ("secret in other case", f"Api-Key {prefix}.{secret.swapcase()}", WRONG_KEY),
        ("secret cut", f"Api-Key {site.key[:-1]}", WRONG_KEY),
        ("secret longer", f"Api-Key {site.key}x", WRONG_KEY),
        ("two keys", f"Api-Key {site.key} {site.key}", WRONG_KEY),
        ("header twice", f"Api-Key {site.key}\r\nAuthorization: Api-Key {site.key}", WRONG_KEY),
        ("8,000 characters", f"Api-Key {'x' * 8000}", WRONG_KEY),
        ("not ASCII", "Api-Key é.€", WRONG_KEY),
        ("not UTF-8", b"Api-Key \xff\xfe", WRONG_KEY),
        ("NUL", f"Api-Key {site.key}\0", BAD),
        ("SQL", "Api-Key ' OR 1=1 --", WRONG_KEY),
    ]:
        yield name, site.upload(headers={"Authorization": header}), expected
    in_query = site.upload(headers={"Authorization": None}, target=f"{UPLOAD}?api_key={site.key}")
    yield "in the query", in_query, NO_KEY
    yield "with an underscore", site.upload(headers={"Authorization": None, "HTTP_AUTHORIZATION": "x"}), NO_KEY


def methods(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield other methods, with a whole upload behind them."""
    for method in ("GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "UPLOAD", "M" * 1000, "!#$"):
        yield method[:20], site.upload(method=method), NOT_ALLOWED
    yield "HEAD", site.upload(method="HEAD"), "405"
    yield "OPTIONS", site.upload(method="OPTIONS"), "200"
    yield "lower case", site.upload(method="post"), BAD
    yield "CONNECT", site.message("CONNECT", "127.0.0.1:22"), BAD
    yield "with a blank", site.upload(method="PO ST"), BAD
    yield "with a colon", site.upload(method="POST:"), BAD
    yield "GET in another's clothes", site.upload(method="GET", headers={"X-HTTP-Method-Override": "POST"}), NOT_ALLOWED


def paths(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield addresses; each with a whole upload where it is posted to."""
    api = "/api/v1/receipts"
    for name, path, expected in [
        ("with a last slash", f"{UPLOAD}/", "202"),
        ("as DRF has it", f"{api}/", "202"),
        ("the same without its slash", api, "202"),
        ("two slashes before", f"/{UPLOAD}", "202"),
        ("two slashes within", "/api/v1//receipts/upload", NOT_FOUND),
        ("dot", f"{api}/./upload", NOT_FOUND),
        ("two dots", f"{api}/../receipts/upload", NOT_FOUND),
        ("encoded dots", f"{api}/%2e%2e/receipts/upload", NOT_FOUND),
        ("encoded slash", "/api/v1/receipts%2Fupload", "202"),
        ("encoded twice", "/api/v1/receipts%252Fupload", NOT_FOUND),
        ("encoded letter", "/api/v1/receipts/%75pload", "202"),
        ("backslash", "/api/v1/receipts\\upload", NOT_FOUND),
        ("semicolon", f"{UPLOAD};jsessionid=1", NOT_FOUND),
        ("upper case", "/api/v1/RECEIPTS/upload", NOT_FOUND),
        ("version 2", "/api/v2/receipts/upload", NOT_FOUND),
        ("API alone", "/api", NOT_FOUND),
        ("encoded NUL", f"{UPLOAD}%00", NOT_FOUND),
        ("encoded line break", f"{UPLOAD}%0d%0aX: y", BAD),
        ("encoded line break at its end", f"{UPLOAD}%0a", NOT_FOUND),
        ("not UTF-8", f"{api}/%ff%fe", NOT_FOUND),
        ("broken escape", f"{api}/%zz%", NOT_FOUND),
        ("8 KB", f"{api}/{'x' * 8192}", NOT_FOUND),
        ("2,000 folders", f"/api{'/x' * 2000}", NOT_FOUND),
        ("with a query", f"{UPLOAD}?file=x&notion_database_id=%00", "202"),
        ("with a query that is none", f"{UPLOAD}?%", "202"),
        ("with 1,500 queries", f"{UPLOAD}?{'a=b&' * 1500}", BAD),
        ("with a fragment", f"{UPLOAD}#top", "202"),
        ("tab", "/api/v1/rec\teipts/upload", BAD),
        ("blank", "/api/v1/receipts /upload", BAD),
    ]:
        yield name, site.upload(target=path), expected
    yield "raw bytes", site.message("GET", f"{api}/".encode() + b"\xff\xfe", headers=_key(site)), BAD
    for name, end, expected in [
        ("nobody's receipt", f"receipts/{NOBODY}/", NOT_FOUND),
        ("nobody's file", f"receipts/{NOBODY}/file", NOT_FOUND),
        ("nobody's job", f"jobs/{NOBODY}/", NOT_FOUND),
        ("UUID in upper case", f"jobs/{NOBODY.upper().replace('4', 'A')}/", NOT_FOUND),
        ("UUID in braces", f"jobs/{{{NOBODY}}}/", NOT_FOUND),
        ("no UUID", "jobs/1/", NOT_FOUND),
        ("file behind the folder", "receipts/..%2f..%2fsettings.py/file", NOT_FOUND),
    ]:
        yield name, site.message("GET", f"/api/v1/{end}", headers=_key(site)), expected


def queries(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield questions for the list of jobs."""
    for name, query, expected in [
        ("page of -1", "page_size=-1", "200"),
        ("page of 10⁴⁰", f"page_size={10**40}", "200"),
        ("page of Arabic-Indic digits", "page_size=%D9%A1", "200"),
        ("NUL", "filename=%00", INVALID),
        ("half a surrogate pair", "filename=%ED%A0%80", "200"),
        ("unknown status", "status=%27", INVALID),
        ("UUID that is none", "receipt_id=x", INVALID),
        ("time that is none", "created_after=tomorrow", INVALID),
        ("time with an odd offset", "created_after=0001-01-01T00:00:00%2B23:59", INVALID),
        ("time of Arabic-Indic digits", "created_after=%D9%A2%D9%A0%D9%A2%D9%A6-01-01", INVALID),
        ("cursor of noise", "cursor=%00%FF", NOT_FOUND),
        ("cursor of another kind", "cursor=cD0xMjM%3D", NOT_FOUND),
        ("name of 60,000 letters", f"filename={'a' * 60_000}", "200"),
        ("unknown question", "__class__=1", "200"),
        ("1,500 questions", "&".join(["a=b"] * 1500), BAD),
    ]:
        yield name, site.message("GET", f"/api/v1/jobs/?{query}", headers=_key(site)), expected
    for charset in ("hex", "undefined", "utf-16", "idna", "nonsense"):
        typed = _key(site) | {"Content-Type": f"text/plain; charset={charset}"}
        yield f"character set {charset}", site.message("GET", "/api/v1/jobs/?filename=%C3%A4", headers=typed), "200"


def _key(site: Site) -> dict[str, str]:
    return {"Authorization": f"Api-Key {site.key}"}
