"""`make demo`: the whole service on this machine, with one receipt sent through it."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from django.core.exceptions import ImproperlyConfigured

from .configuration import (
    FOLDER,
    LOGS,
    LOOPBACK,
    NEXT_RECEIPT,
    SECRETS,
    CannotGoOn,
    Options,
    configure,
    kept_secrets,
    locked_folder,
    prepare_database,
    relative_path,
    require_free_port,
)
from .supervisor import Process, Supervisor

NOTION_DATABASE = "5f0c1d9e-3b7a-4c58-9f21-6d8e2a4b7c10"  # made up: the sandbox files nothing
START_SECONDS = 30
JOB_SECONDS = 60


def main() -> None:
    """Run the demonstration until SIGINT or SIGTERM, or with `ONCE=1` until its receipt has arrived.

    Raises:
        SystemExit: with a sentence, where it cannot start or the receipt does not arrive (see `may_fail_at_first`).
    """
    try:
        _demonstrate(Options.read())
    except (CannotGoOn, ImproperlyConfigured) as error:
        sys.exit(f"make demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _demonstrate(options: Options) -> None:
    with locked_folder(), Supervisor(logs=LOGS, report=_say) as supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.ask_to_stop)
        require_free_port(options.port)
        _Demonstration(options, kept_secrets(), supervisor).run()
        _say("\nStopping ...")


@dataclass(frozen=True)
class _Demonstration:
    """One run: what was asked for, the secrets that are kept, and what keeps its processes running."""

    options: Options
    kept: dict[str, str]
    supervisor: Supervisor

    def run(self) -> None:
        """Start everything, send a receipt through it, and go on until told to stop, but for `ONCE=1`."""
        _say(f"The whole service, on this machine; its data is in {relative_path(FOLDER)}.\n")
        processes = configure(self.options, self.kept)
        prepare_database(self.kept)
        self._start(processes)
        if self.options.may_fail_at_first:
            self._print_page()
            self._follow(self._upload_receipt())
        else:
            self._require_success(self._upload_receipt())
            if self.options.once:
                return
            self._print_page()
        self.supervisor.watch()

    def _start(self, processes: list[Process]) -> None:
        _say(f"Starting {', '.join(process.name for process in processes)} ...")
        begun_at = time.monotonic()
        for process in processes:
            if process.name == "web" and not self.options.n8n_webhook_url:  # or the first canary would find nobody
                self._wait_until(START_SECONDS, _sandbox_listens, "the sandbox was not ready in time")
            self.supervisor.start(process)
        self._wait_until(START_SECONDS, self._is_ready, "it was not ready in time")
        _say(f"Ready after {time.monotonic() - begun_at:.1f} s.\n")

    def _is_ready(self) -> bool:
        try:
            status = _session().get(f"{self.options.url}/health/ready", timeout=5).json()["status"]
        except (OSError, requests.RequestException):
            return False
        return bool(status == "ok")

    def _upload_receipt(self) -> "_Job":
        """Upload a receipt that is new, and return its job."""
        from jobs.models import JobLog
        from receipts.sample import draw_receipt

        number = JobLog.objects.filter(is_canary=False).count() + 1
        NEXT_RECEIPT.write_bytes(draw_receipt(number + 1))
        session = _session(self.kept["API_KEY"])
        answer = self._upload(session, f"receipt-{number}.jpg", draw_receipt(number))
        ms = answer.elapsed.total_seconds() * 1000
        _say(f"Receipt {number} is uploaded ({answer.status_code} after {ms:.0f} ms):")
        return _Job(session, job_id=answer.json()["job_id"], url=answer.json()["url"])

    def _require_success(self, job: "_Job") -> None:
        """Follow the job to its end, which must be a success."""
        self._wait_until(JOB_SECONDS, job.has_ended, f"the job had not ended after {JOB_SECONDS} s")
        if job.state["status"] != "success":
            raise CannotGoOn(f"the job failed: {job.state['result_message']}")
        _print_timeline(job.job_id)

    def _follow(self, job: "_Job") -> None:
        """Follow the job for a while, and say what keeps it from success, which is no reason to end."""
        from jobs.causes import CAUSES_OF_DELAY

        ended = self.supervisor.watch(seconds=JOB_SECONDS, until=job.has_ended)
        if self.supervisor.stopping:
            return
        if ended:
            _print_timeline(job.job_id)
        else:
            cause = CAUSES_OF_DELAY.get(job.state.get("last_error", ""))
            why = f"{cause.sentence} {cause.cure}" if cause else "It goes on by itself."
            _say(f"It has not ended after {JOB_SECONDS} s. {why}")
        if job.state["status"] != "success":
            _say(f"\nIts page says more: {self.options.url}/admin/jobs/joblog/{job.job_id}/change/")

    def _upload(self, session: requests.Session, name: str, receipt: bytes) -> requests.Response:
        url = f"{self.options.url}/api/v1/receipts/upload"
        form = {"notion_database_id": NOTION_DATABASE}
        try:
            answer = session.post(url, files={"file": (name, receipt, "image/jpeg")}, data=form, timeout=30)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise CannotGoOn(f"the upload failed ({error}); the logs in {relative_path(LOGS)} may say why.") from error
        return answer

    def _wait_until(self, seconds: float, until: Callable[[], bool], complaint: str) -> None:
        if self.supervisor.watch(seconds=seconds, until=until):
            return
        if self.supervisor.stopping:
            raise KeyboardInterrupt
        raise CannotGoOn(f"{complaint}; the logs in {relative_path(LOGS)} may say why.")

    def _print_page(self) -> None:
        n8n = self.options.n8n_webhook_url or "a sandbox, which reads no receipt and files nothing"
        url, api_key = self.options.url, self.kept["API_KEY"]
        _say(f"""
Admin     {url}/admin/   admin / {self.kept["ADMIN_PASSWORD"]}
API       {url}/api/v1/docs/
Health    {url}/health/ready
N8N       {n8n}
Logs      {relative_path(LOGS)}, secrets in {relative_path(SECRETS)}

Upload another receipt:

  curl -H 'Authorization: Api-Key {api_key}' \\
       -F file=@{relative_path(NEXT_RECEIPT)} -F notion_database_id={NOTION_DATABASE} \\
       {url}/api/v1/receipts/upload

Ctrl-C stops everything.""")
        if self.options.may_fail_at_first:
            _say(f"\nNow connect your N8N: log in, and open {url}/admin/connect/\n")


class _Job:
    """A job as its client sees it, over HTTP; tells of each change of its status."""

    def __init__(self, session: requests.Session, *, job_id: str, url: str) -> None:
        self.job_id = job_id
        self._session = session
        self._url = url
        self._begun_at = time.monotonic()
        self.state: dict[str, Any] = {"status": ""}

    def has_ended(self) -> bool:
        """Ask once more."""
        try:
            answer = self._session.get(self._url, timeout=5)
            answer.raise_for_status()
        except requests.RequestException:
            return False  # the web may be starting again
        state = answer.json()
        if state["status"] != self.state["status"]:
            _say(f"{time.monotonic() - self._begun_at:6.1f} s  {state['status']:<12}{state['result_message']}".rstrip())
        self.state = state
        return self.state["status"] in ("success", "failure")


def _sandbox_listens() -> bool:
    with suppress(OSError):
        port = urlsplit(os.environ["N8N_WEBHOOK_URL"]).port or 80
        socket.create_connection((LOOPBACK, port), timeout=1).close()
        return True
    return False


def _print_timeline(job_id: str) -> None:
    from jobs.models import JobLog
    from jobs.timeline import timeline

    _say("\nIts timeline:")
    for entry in timeline(JobLog.objects.get(pk=job_id)):
        _say(f"{entry.offset:8.2f} s  {entry.event.label:<26}{entry.event.by}")


def _session(api_key: str = "") -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # neither a proxy nor a ~/.netrc stands between this machine and itself
    session.headers["Authorization"] = f"Api-Key {api_key}"
    return session


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
