"""What this process is called in events and heartbeats, and for how long it has run."""

import os
import secrets
import socket
import time
from datetime import timedelta

# in containers, hosts and process ids repeat
PROCESS_NAME = f"{socket.gethostname()}:{os.getpid()}-{secrets.token_hex(2)}"

_STARTED = time.monotonic()


def uptime() -> timedelta:
    """Return for how long this process has run, with the settings that it read then."""
    return timedelta(seconds=time.monotonic() - _STARTED)
