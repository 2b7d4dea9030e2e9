"""What this process is called in events and heartbeats, and for how long it has run."""

import os
import secrets
import socket
from datetime import timedelta

from accounting.clock import seconds_since_boot

# in containers, hosts and process ids repeat
PROCESS_NAME = f"{socket.gethostname()}:{os.getpid()}-{secrets.token_hex(2)}"

_STARTED = seconds_since_boot()


def uptime() -> timedelta:
    """Return for how long this process has run, with the settings that it read then."""
    return timedelta(seconds=seconds_since_boot() - _STARTED)
