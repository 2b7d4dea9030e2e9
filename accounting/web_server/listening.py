"""Takes a port for a command that serves, and says in one sentence why it cannot."""

import errno
import socket

from django.core.management.base import CommandError

from accounting.terminal.argument_types import whole_number

port_number = whole_number(0, 65_535)  # 0 stands for any free one


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address or name, IPv4 or IPv6.

    Raises:
        CommandError: it cannot, most often because the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0].lower()
        is_ports_fault = error.errno in (errno.EADDRINUSE, errno.EACCES)
        cure = f"choose another with {'--port' if is_ports_fault else '--host'}"
        raise CommandError(f"Cannot listen on port {port} of {host}, {reason}: {cure}.") from error
