"""What this process is called in events and heartbeats."""

import os
import secrets
import socket

# in containers, hosts and process ids repeat
PROCESS = f"{socket.gethostname()}:{os.getpid()}-{secrets.token_hex(2)}"
