"""How the form is written: names of files, fields, boundaries, character sets and encodings."""

import base64
from collections.abc import Iterator

from tests.factories import DATABASE_ID
from tests.support.uploads import BOUNDARY, MULTIPART, file_part, form, part, text_part

from .files import BROKEN, JPEG, UNKNOWN
from .wire import Row, Site, rows

INVALID, NO_FORM, BAD = "400 invalid", "400 parse_error", "400 bad_request"
OTHER_MEDIA = "415 unsupported_media_type"
END = f"--{BOUNDARY}--\r\n".encode()
ID = text_part("notion_database_id", DATABASE_ID)


def uploads_of_forms(site: Site) -> list[Row]:
    """Return the rows."""
    tables = {
        "name": names(site),
        "field": fields(site),
        "boundary": boundaries(site),
        "content type": content_types(site),
        "transfer encoding": transfer_encodings(site),
    }
    return [row for group, table in tables.items() for row in rows(table, group)]


def names(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield names of files; they are shown to people, and never used as the name of a file here."""
    for name, disposition, expected in [
        ("traversal", b'filename="../../../etc/passwd"', "202"),
        ("traversal, Windows", rb'filename="..\\..\\boot.ini"', "202"),
        ("absolute", b'filename="/etc/cron.d/job"', "202"),
        ("right-to-left", 'filename="receipt\u202egpj.exe"'.encode(), "202"),
        ("emoji", 'filename="\U0001f9fe.jpg"'.encode(), "202"),
        ("300 characters", b'filename="' + b"n" * 300 + b'.jpg"', "202"),
        ("HTML", b'filename="<img src=x onerror=alert(1)>.jpg"', "202"),
        ("CRLF, escaped", b'filename="a%0d%0aSet-Cookie: x=1.jpg"', "202"),
        ("quotes, escaped", rb'filename="a\"; name=\"notion_database_id.jpg"', "202"),
        ("semicolon", b'filename="a;b.jpg"', "202"),
        ("not quoted", b"filename=receipt.jpg", "202"),
        ("hidden", b'filename=".htaccess"', "202"),
        ("device", b'filename="CON"', "202"),
        ("template", b'filename="{{7*7}}${7*7}%s%n.jpg"', "202"),
        ("NUL", b'filename="a\x00.jpg"', "202"),
        ("encoded, RFC 5987", b"filename*=UTF-8''M%C3%A4rz.jpg", "202"),
        ("encoded traversal, RFC 5987", b"filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "202"),
        ("both kinds", b"filename=\"a.jpg\"; filename*=UTF-8''b.jpg", "202"),
        ("empty", b'filename=""', INVALID),
        ("blank", b'filename=" "', "202"),
        ("this folder", b'filename="."', INVALID),
        ("folder above", b'filename=".."', INVALID),
        ("slash", b'filename="/"', INVALID),
        ("not UTF-8", b'filename="M\xe4rz.jpg"', INVALID),
        ("half a surrogate pair", b'filename="\xed\xa0\x80.jpg"', INVALID),
        ("unknown character set", b"filename*=nonsense''a.jpg", INVALID),
        ("character set that is none", b"filename*=hex''616263.jpg", "202"),
        ("encoded words of a character set that is none", 'filename="=?é?q?x?="'.encode(), "202"),
        ("none", b"", INVALID),
    ]:
        yield name, site.upload(form(file_part(disposition, data=site.picture()))), expected


def fields(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield forms whose fields are missing, doubled, too many or too long."""
    picture = file_part(data=site.picture())
    for name, parts, expected in [
        ("nothing at all", [], INVALID),
        ("no file", [ID], INVALID),
        ("no id", [picture], INVALID),
        ("file as text", [text_part("file", "receipt.jpg"), ID], INVALID),
        ("file under another name", [picture.replace(b'"file"', b'"picture"'), ID], INVALID),
        ("file in upper case", [picture.replace(b'"file"', b'"FILE"'), ID], INVALID),
        ("id as a file", [picture, file_part(data=DATABASE_ID.encode()).replace(b'"file"', b'"notion_database_id"')],
         "400 too_many_files"),
        ("two files", [picture, file_part(data=JPEG), ID], "400 too_many_files"),
        ("twenty files", [picture] * 20 + [ID], "400 too_many_files"),
        ("2,000 fields", [text_part("note", "x")] * 2000 + [picture, ID], BAD),
        ("field of 3 MB", [text_part("note", "x" * 3_000_000), picture, ID], "413 body_too_large"),
        ("part without a name", [part(b"Content-Disposition: form-data", JPEG), ID], INVALID),
        ("part without headers", [part(b"X: y", JPEG), ID], INVALID),
        ("part that is an attachment", [picture.replace(b"form-data", b"attachment"), ID], "202"),
        ("part's header of 3 KB", [file_part(b'filename="a.jpg"', b"X-Long: " + b"x" * 3000), ID], NO_FORM),
        ("part of 2,000 headers", [file_part(b'filename="a.jpg"', *[b"X: y"] * 2000), ID], NO_FORM),
        ("duplicates perhaps", [picture, ID, text_part("allow_duplicate", "perhaps")], INVALID),
        ("duplicates with NUL", [picture, ID, text_part("allow_duplicate", "true\0")], INVALID),
    ]:  # fmt: skip
        yield name, site.upload(b"".join(parts) + END), expected
    for name, extra in [
        ("unknown field", text_part("status", "success")),
        ("nameless field", text_part("", "x")),
        ("field with a name of emoji", text_part("\U0001f9fe", "x")),
        ("the id twice", ID),
        ("duplicates allowed", text_part("allow_duplicate", "TRUE")),
    ]:
        yield name, site.upload(form(file_part(data=site.picture()), extra)), "202"


def boundaries(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield forms whose parts are not told apart as they should be."""
    good = form(file_part(data=site.picture()))
    for name, boundary, expected in [
        ("missing", "", NO_FORM),
        ("empty", "; boundary=", NO_FORM),
        ("another", "; boundary=another", INVALID),
        ("300 characters", "; boundary=" + "b" * 300, OTHER_MEDIA),
        ("not ASCII", "; boundary=\xe4", NO_FORM),
        ("with a quote that never ends", f'; boundary="{BOUNDARY}', INVALID),
        ("dashes", "; boundary=--", INVALID),
        ("pattern", "; boundary=.*", INVALID),
        ("in pieces", "; boundary*1=b; boundary*0=a", INVALID),
    ]:
        yield name, site.upload(good, {"Content-Type": f"multipart/form-data{boundary}"}), expected
    for name, text in [("70 characters", "b" * 70), ("71 characters", "b" * 71), ("quoted, with a blank", "b b")]:
        body = form(file_part(data=site.picture())).replace(BOUNDARY.encode(), text.encode())
        yield name, site.upload(body, {"Content-Type": f'multipart/form-data; boundary="{text}"'}), "202"
    for name, body, expected in [
        ("within the picture", form(file_part(data=JPEG[:2000] + b"\r\n--a-boundary\r\n" + JPEG[2000:])), NO_FORM),
        ("closing one within the picture", form(file_part(data=JPEG[:2000] + b"\r\n--a-boundary--\r\n" + JPEG[2000:])),
         NO_FORM),
        ("lines that end with LF", good.replace(b"\r\n", b"\n"), NO_FORM),
        ("never", good.replace(b"--a-boundary", b""), INVALID),
        ("closing one only", END, INVALID),
        ("body empty", b"", INVALID),
        ("body cut within the picture", form(file_part(data=JPEG))[:3000], INVALID),
        ("10,000 of them", b"--a-boundary\r\n" * 10_000 + good, BAD),
    ]:  # fmt: skip
        yield name, site.upload(body), expected
    yield (
        "with a preamble and an epilogue",
        site.upload(b"before\r\n" + form(file_part(data=site.picture())) + b"after"),
        "202",
    )
    yield "closing one missing", site.upload(ID + file_part(data=site.picture())), INVALID
    outer = form(file_part(data=b"the form within")).replace(BOUNDARY.encode(), b"outer")
    nested = outer.replace(b"the form within", form(file_part(data=JPEG)))
    yield "form within a form", site.upload(nested, {"Content-Type": "multipart/form-data; boundary=outer"}), UNKNOWN


def content_types(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield bodies that claim to be something else, and character sets that are none."""
    for name, content_type, body in [
        ("JSON", "application/json", b'{"file": "x"}'),
        ("urlencoded", "application/x-www-form-urlencoded", b"file=x&notion_database_id=" + DATABASE_ID.encode()),
        ("text", "text/plain", b"file=x"),
        ("bare picture", "image/jpeg", JPEG),
        ("multipart/mixed", "multipart/mixed; boundary=a-boundary", form(file_part(data=JPEG))),
        ("multipart alone", "multipart", form(file_part(data=JPEG))),
        ("60,000 semicolons", f'{MULTIPART}; x="{";" * 60_000}', form(file_part(data=JPEG))),
        ("nonsense", "\x7e/\x7e", b"x"),
        ("empty", "", b"file=x"),
        ("none", None, b"file=x"),
        (
            "boundary of an unknown character set",
            "multipart/form-data; boundary*=nonsense''x",
            form(file_part(data=JPEG)),
        ),
        (
            "boundary of a character set that is none",
            "multipart/form-data; boundary*=idna''%ff",
            form(file_part(data=JPEG)),
        ),
    ]:
        yield name, site.upload(body, {"Content-Type": content_type}), OTHER_MEDIA
    for name, charset, expected in [
        ("UTF-8", "utf-8", "202"),
        ("unknown", "nonsense", "202"),
        ("UTF-16", "utf-16", "202"),
        ("UTF-7", "utf-7", "202"),
        ("hex", "hex", "202"),
        ("zip", "zip", "202"),
        ("rot13", "rot13", "202"),
        ("idna", "idna", "202"),
        ("undefined", "undefined", "202"),
        ("unicode_escape", "unicode_escape", "202"),
        ("2,000 letters", "x" * 2000, OTHER_MEDIA),
    ]:
        typed = {"Content-Type": f"multipart/form-data; charset={charset}; boundary={BOUNDARY}"}
        yield f"character set {name}", site.upload(None, typed), expected
    for name, content_type in [
        ("in upper case", "MULTIPART/FORM-DATA; BOUNDARY=XbX"),
        ("in title case", 'Multipart/Form-Data;charset=utf-8 ; Boundary="XbX"'),
    ]:
        body = form(file_part(data=site.picture())).replace(BOUNDARY.encode(), b"XbX")
        yield name, site.upload(body, {"Content-Type": content_type}), "202"
    yield "gzip that is none", site.upload(None, {"Content-Encoding": "gzip"}), "415 encoding_not_supported"


def transfer_encodings(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield parts that say how they are encoded (RFC 7578 section 4.7 has done away with that)."""
    encoded, named = base64.encodebytes(site.picture()), b'filename="a.jpg"'
    for name, encoding, data, expected in [
        ("base64, truly", b"base64", encoded, "202"),
        ("base64, a lie", b"base64", JPEG, UNKNOWN),
        ("base64, cut", b"base64", encoded[:1001], BROKEN),
        ("quoted-printable, a lie", b"quoted-printable", site.picture(), "202"),
        ("binary", b"binary", site.picture(), "202"),
        ("nonsense", b"nonsense", site.picture(), "202"),
    ]:
        yield name, site.upload(form(file_part(named, b"Content-Transfer-Encoding: " + encoding, data=data))), expected
