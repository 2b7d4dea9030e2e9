"""Secrets that are looked for afterwards, and all the places where one could have been left behind."""

import base64
import binascii
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import requests
from psycopg import sql
from redis import Redis

Place = tuple[str, str]  # what it is called, and what stands there


@dataclass(frozen=True)
class PlantedSecret:
    """A secret, in every form in which it could be written down."""

    name: str
    secret: str

    def is_in(self, text: str) -> bool:
        """Tell whether the text holds the secret, whatever stands around it."""
        return any(form in text for form in self._forms())

    def _forms(self) -> Iterator[str]:
        raw = self.secret.encode()
        yield self.secret
        yield raw.hex()
        yield raw.hex().upper()
        yield "".join(f"%{byte:02X}" for byte in raw)
        for before in range(3):  # base64 takes three bytes at a time: the ends depend on what stands around
            yield base64.b64encode(b"\0" * before + raw)[4 if before else 0 :].rstrip(b"=")[:-1].decode()


def in_database(url: str) -> Iterator[Place]:
    """Return all rows of all tables, column by column."""
    for table, column, values in _columns_of_sqlite(url) if url.startswith("sqlite") else _columns_of_postgres(url):
        yield f"{table}.{column}", "\n".join(_text(value) for value in values)


def _columns_of_sqlite(url: str) -> Iterator[tuple[str, str, list[Any]]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the database's own names
            yield from _turned(table, [column[0] for column in rows.description], rows.fetchall())


def _columns_of_postgres(url: str) -> Iterator[tuple[str, str, list[Any]]]:
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            yield from _turned(table, [column.name for column in rows.description or ()], rows.fetchall())


def _turned(table: str, columns: list[str], rows: list[Any]) -> Iterator[tuple[str, str, list[Any]]]:
    for number, column in enumerate(columns):
        yield table, column, [row[number] for row in rows]


def in_redis(client: "Redis") -> Iterator[Place]:
    """Return every key with all that it holds; what RQ has compressed is unpacked."""
    for key in client.scan_iter():
        yield f"Redis {_text(key)}", _text(key) + "\n" + "\n".join(map(_text, _held(client, key)))


def _held(client: Any, key: bytes) -> list[bytes]:
    match client.type(key):
        case b"hash":
            return [item for pair in client.hgetall(key).items() for item in pair]
        case b"list":
            return list(client.lrange(key, 0, -1))
        case b"set":
            return list(client.smembers(key))
        case b"zset":
            return list(client.zrange(key, 0, -1))
        case b"stream":
            return [item for _, fields in client.xrange(key) for pair in fields.items() for item in pair]
    return [client.get(key) or b""]


def in_answer(name: str, answer: requests.Response) -> Place:
    """Return the answer's status, headers and body."""
    return name, f"{answer.status_code} {answer.reason}\n{answer.headers}\n{_text(answer.content)}"


def _text(value: object) -> str:
    if not isinstance(value, bytes | memoryview):
        return str(value)
    raw = bytes(value)
    with suppress(zlib.error):
        raw += zlib.decompress(raw)
    with suppress(binascii.Error, zlib.error):  # a traceback that RQ keeps
        raw += zlib.decompress(base64.b64decode(raw, validate=True))
    return raw.decode("latin-1")
