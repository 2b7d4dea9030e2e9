"""An installation whose every secret was planted, all that it answered, and an N8N that quotes what it was sent."""

import base64
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from redis import Redis

from tests.factories import DATABASE_ID
from tests.support.installation import Installation
from tests.support.pictures import jpeg
from tests.support.planted_secrets import Place, PlantedSecret, in_answer, in_database, in_redis
from tests.support.sentry import dsn, received_text
from tests.support.stub_server import Request, StubServer, Visit, response

JOBS = "/api/v1/jobs/"


class PlantedInstallation:
    """An installation whose every setting that is secret was planted, and all that it answered."""

    def __init__(self, folder: Path, n8n: StubServer, tls: StubServer, sentry: StubServer) -> None:
        self.planted: list[PlantedSecret] = []
        self.answers: list[Place] = []
        self.n8n, self.tls, self.sentry = n8n, tls, sentry
        path, query = self.secret("webhook path"), self.secret("webhook query")
        self.webhook = f"/webhook/{path}?key={query}"
        self.installation = Installation(
            folder,
            n8n.url + self.webhook,
            SECRET_KEY=self.secret("SECRET_KEY"),
            SECRET_KEY_FALLBACKS=self.secret("SECRET_KEY_FALLBACKS"),
            AUDIT_KEY=self.secret("AUDIT_KEY"),
            N8N_API_KEY=self.secret("N8N_API_KEY"),
            N8N_WEBHOOK_SECRET=f"{self.secret('N8N_WEBHOOK_SECRET')},{standard(self.secret('former webhook secret'))}",
            CALLBACK_SECRET_TOKEN=f"{self.secret('CALLBACK_SECRET_TOKEN')},{self.secret('former callback token')}",
            LOG_LEVEL="DEBUG",
            SENTRY_DSN=dsn(sentry),
            UPLOAD_RATE="50/minute",
            TRUSTED_PROXIES="127.0.0.1",
        )
        self.env = self.installation.env
        self.database_url = self.env["DATABASE_URL"]
        self.database_password, self.redis_password = self.secret("database password"), self.secret("Redis password")
        self.know("API key", self.installation.key.partition(".")[2])
        self.picture = self.secret("picture's bytes")
        self.filename = self.secret("file name") + ".jpg"
        last = ":".join(secrets.token_hex(2).replace("0", "1") for _ in range(4))
        self.address = self.know("caller's address", f"2001:db8:1:2:{last}")
        self._ask_for_passwords()

    def secret(self, name: str) -> str:
        """Make a secret up."""
        return self.know(name, secrets.token_hex(20))

    def know(self, name: str, secret: str) -> str:
        """Look for this, too."""
        self.planted.append(PlantedSecret(name, secret))
        return secret

    def _ask_for_passwords(self) -> None:
        valkey = self.installation.valkey
        with Redis(port=valkey.port) as admin:
            admin.acl_setuser("receipts", enabled=True, passwords=[f"+{self.redis_password}"], keys=["*"],
                              channels=["*"], commands=["+@all"])  # fmt: skip
        self.env["REDIS_URL"] = f"redis://receipts:{self.redis_password}@127.0.0.1:{valkey.port}/0"
        if self.database_url.startswith("postgresql"):  # it trusts whoever connects, and so ignores the password
            user = urlsplit(self.database_url).username or ""
            self.env["DATABASE_URL"] = self.database_url.replace(f"//{user}:@", f"//{user}:{self.database_password}@")
            assert self.database_password in self.env["DATABASE_URL"]

    # -- what is done

    def call(self, name: str, method: str, path: str, *, url: str = "", key: str = "", **options: Any) -> Any:
        """Send a request with an API key and note what is answered."""
        headers = {"Authorization": f"Api-Key {key or self.installation.key}", "X-Forwarded-For": self.address}
        headers |= options.pop("headers", {})
        answer = requests.request(
            method, (url or self.installation.url) + path, headers=headers, timeout=30, allow_redirects=False, **options
        )
        self.answers.append(in_answer(name, answer))
        return answer

    def upload(self, name: str = "answer to an upload", *, content: bytes | None = None, **options: Any) -> Any:
        """Upload a picture in whose comment a secret is planted, under a name that is one."""
        picture = jpeg(secrets.randbelow(10**6), comment=self.picture.encode()) if content is None else content
        data = {"notion_database_id": options.pop("database", DATABASE_ID)}
        files = {"file": (self.filename, picture)}
        return self.call(name, "POST", "/api/v1/receipts/upload", files=files, data=data, **options)

    def report(self, job_id: str, token: str, body: Any) -> Any:
        """Call back."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-Callback-Token": token, "Content-Type": "application/json"}
        return self.call("answer to a callback", "POST", f"{JOBS}{job_id}/callback", data=data, headers=headers)

    # -- what is found

    def found(self) -> set[tuple[str, str]]:
        """Return which secret was found in which place."""
        return {
            (planted.name, name) for name, text in self._places() for planted in self.planted if planted.is_in(text)
        }

    def _places(self) -> Iterator[Place]:
        yield "log", self.installation.log()
        yield "reports to Sentry", received_text(self.sentry)
        yield from self.answers
        yield from in_database(self.database_url)
        with Redis(port=self.installation.valkey.port) as client:
            yield from in_redis(client)


def standard(secret: str) -> str:
    """Return the secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secret.encode()).decode()


def rude(visit: Visit) -> None:
    """Be an N8N that has trouble with the first three deliveries, and quotes in it all that it was sent."""
    request = visit.read()
    if request is None:  # a worker was stopped between connecting and sending
        return
    quoted = (
        f"{request.target} {request.headers['Authorization']} {request.body[-300:].decode()} {request.body[:900]!r}"
    )
    match attempt_of(request):
        case 1:
            visit.send(response(404, json.dumps({"message": quoted}).encode()))
        case 2:
            visit.send(response(500, json.dumps({"message": quoted}).encode()))
        case 3:
            visit.reset()
        case _:
            visit.send(response())


def attempt_of(request: Request) -> int:
    return int(json.loads(request.body)["attempt"])
