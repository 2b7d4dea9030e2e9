"""Parses HTTP requests: waitress' parser, held to the letter of RFC 9112 and to our bounds.

Where readers of HTTP may differ, one request can be taken for two (request smuggling), so what is doubtful is refused.
"""

import re
import time
from http import HTTPStatus
from math import inf
from typing import cast
from weakref import WeakSet

from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

from accounting.api.body_limits import BodyLimit, body_limit_by_headers, takes_files
from accounting.problems import Problem, busy, problem_of

THUMBNAIL = "/thumbnail/"  # in the admin
HEADER_BYTES = 64 * 1024
LINE_BYTES = 1024  # of a chunk's size and extensions, and of each trailer
LINES = 100_000  # two for each chunk: bodies of one byte each would keep the server busy with little else
PIECE_BYTES = 1024 * 1024  # of a body; as often it is added to the others
ALL_BODIES_BYTES = 4 * 1024**3  # of those of a piece or more that are on their way, or wait for a thread

# Control characters, and a line's end that is not CR LF (sections 2.2 and 5.5)
NEVER_IN_HEADERS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
# Section 3; waitress takes less as well, and minutes to find out that a line of 60,000 digits is no address
FIRST_LINE = re.compile(rb"[^ ]+ [^ ]+ HTTP/[0-9]\.[0-9]\s*")
FOLDED = re.compile(rb"\r\n[ \t]")
BLANKS = b" " * 100  # to pass over so many, waitress tries each number of them: a head of blanks took it half a minute
HOST = re.compile(rb"^host[ \t]*:", re.IGNORECASE | re.MULTILINE)
TRANSFER_ENCODING = re.compile(rb"^transfer-encoding:(.*)$", re.IGNORECASE | re.MULTILINE)
CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?")


_long: "WeakSet[RequestParser]" = WeakSet()


class CannotKeepBody(Error):
    """The body cannot be kept, or waited for, until it is all there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.code = problem.status_code
        self.reason = HTTPStatus(problem.status_code).phrase


class RequestParser(HTTPRequestParser):
    """A request on its way in; `error` is set as soon as it is clear that it will be refused."""

    command: str = ""  # type: ignore[assignment] # the stubs take it for bytes
    path = ""  # both until its first line is understood
    waits_since = inf  # in seconds of time.monotonic(), once it waits for a thread
    request_uri: str
    proxy_netloc: str  # the host, where the first line names it
    headers: dict[str, str]

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.begun_at = time.monotonic()
        self._next_piece = PIECE_BYTES

    @property
    def body_limit(self) -> BodyLimit:
        """How long its body may be."""
        return body_limit_by_headers(self.command, self.path, self.headers)

    @property
    def is_about_a_picture(self) -> bool:
        """Whether it brings one, or asks for a small one that may have to be made."""
        return (self.command == "POST" and takes_files(self.path)) or self.path.endswith(THUMBNAIL)

    def received(self, data: bytes) -> int:
        """Take in the next bytes, and return how many of them belong to this request."""
        if self.body_rcv is None and self._are_headers_spoilt_by(data):
            self.refuse(BadRequest("control characters"))
            return len(data)
        try:
            consumed = super().received(data)
        except OSError as error:  # a long body waits in a file, for which there is no room
            self.refuse(CannotKeepBody(cast(Problem, problem_of(error))))
            return len(data)
        if self.headers_finished and not self.error and self._is_too_long():
            self.refuse(RequestEntityTooLarge("too long"))
        if not self.error and self._is_one_too_many():
            self.refuse(CannotKeepBody(busy()))
        # waitress would ask for the body of what is refused already, or has none, and wait for it
        self.expect_continue = self.expect_continue and not self.completed
        return consumed

    def refuse(self, error: Error) -> None:
        """Read no more of it, and have it answered with this error."""
        self.error = error
        self.completed = True

    def close(self) -> None:
        """Let go of its body."""
        super().close()
        self.body_bytes_received = 0

    def parse_header(self, header_plus: bytes) -> None:
        """Understand the first line and the headers.

        Raises:
            ParsingError: they can be misunderstood.
        """
        if not FIRST_LINE.fullmatch(header_plus.partition(b"\r\n")[0]):
            raise ParsingError("no first line of HTTP/1")
        if FOLDED.search(header_plus):
            raise ParsingError("a header of several lines")
        if BLANKS in header_plus.replace(b"\t", b" "):
            raise ParsingError("many blanks")
        try:
            super().parse_header(header_plus)
        except (ValueError, TransferEncodingNotImplemented):  # an odd address, a length of 5,000 digits
            raise ParsingError("not understood") from None
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("another version of HTTP")
        if not self.path.startswith("/") or "\t" in self.request_uri:
            raise ParsingError("no path")
        if len(HOST.findall(header_plus)) not in ((1,) if self.version == "1.1" else (0, 1)):
            raise ParsingError("no host, or several")  # section 3.2
        self._check_coding(TRANSFER_ENCODING.findall(header_plus))
        if "close" in [wish.strip() for wish in self.headers.get("CONNECTION", "").lower().split(",")]:
            self.headers["CONNECTION"] = "close"  # waitress heeds it where nothing else is wished for (section 9.6)
        if self.proxy_netloc:
            self.headers["HOST"] = self.proxy_netloc  # section 3.2.2

    def _are_headers_spoilt_by(self, data: bytes) -> bool:
        """Look at what is new, and no further than to the headers' end."""
        known = self.header_plus + data
        new = max(0, len(self.header_plus) - 3)
        end = known.find(b"\r\n\r\n", new)
        return NEVER_IN_HEADERS.search(known, new, len(known) if end < 0 else end) is not None

    def _check_coding(self, codings: list[bytes]) -> None:
        """Let a body's end be told in one way only (section 6.3)."""
        if not codings:
            return
        is_plain = [coding.strip().lower() for coding in codings] == [b"chunked"]
        if not is_plain or not self.chunked or "CONTENT_LENGTH" in self.headers:
            raise ParsingError("the body's length is told in more than one way, or in an unknown one")
        self.body_rcv = ChunkedBody(OverflowableBuffer(self.adj.inbuf_overflow), room=self.body_limit.read)

    def _is_too_long(self) -> bool:
        # who waits for leave to send is told at once; the others may be sending already, and are read for a while
        most = self.body_limit.size if self.expect_continue else self.body_limit.read
        return max(self.content_length, self.body_bytes_received) > most

    def _is_one_too_many(self) -> bool:
        """Tell, once for each piece, whether there is no room for it beside all others; keys are not known yet."""
        if self.body_bytes_received < self._next_piece:
            return False
        self._next_piece += PIECE_BYTES
        _long.add(self)
        return sum(each.body_bytes_received for each in _long) > ALL_BODIES_BYTES


class ChunkedBody(ChunkedReceiver):
    """A body that comes in chunks (section 7.1); waitress' own reader lets a line grow without end.

    Args:
        buffer: where the chunks' data go.
        room: bytes; a chunk that would not fit is refused before it comes.
    """

    def __init__(self, buffer: OverflowableBuffer, *, room: int) -> None:
        super().__init__(buffer)
        self._room = room
        self._line = b""
        self._lines = 0
        self._to_come = 0  # of the present chunk
        self._read_line = self._read_size

    def received(self, s: bytes) -> int:
        """Take in the next bytes, and return how many of them belong to the body."""
        rest = s
        while rest and not self.completed and not self.error:
            rest = self._take_data(rest) if self._to_come else self._take_line(rest)
        return len(s) - len(rest)

    def _take_data(self, data: bytes) -> bytes:
        chunk, rest = data[: self._to_come], data[self._to_come :]
        self.buf.append(chunk)
        self._to_come -= len(chunk)
        return rest

    def _take_line(self, data: bytes) -> bytes:
        line, end, rest = (self._line + data).partition(b"\r\n")
        if len(line) > LINE_BYTES or self._lines > LINES:
            self.error = BadRequest("lines too long, or too many")
        elif end:
            self._line = b""
            self._lines += 1
            self._read_line(line)
        else:
            self._line = line
        return rest

    def _read_size(self, line: bytes) -> None:
        known = CHUNK.fullmatch(line)
        size = int(known[1], 16) if known else 0
        if known is None:
            self.error = BadRequest("a chunk without its size")
        elif size > self._room - len(self):
            self.error = RequestEntityTooLarge("too long")
        self._to_come = size
        self._read_line = self._read_end if size else self._read_trailer

    def _read_end(self, line: bytes) -> None:
        if line:
            self.error = BadRequest("a chunk longer than its size")
        self._read_line = self._read_size

    def _read_trailer(self, line: bytes) -> None:
        self.completed = not line
