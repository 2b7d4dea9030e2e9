"""Whatever happens to jobs, in whatever order, they are as a small model of the rules says.

Deeper than in the suite: `.venv/bin/python -m pytest tests/jobs/test_state_machine.py --hypothesis-profile=deep`
(and with `--database=postgresql`).
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.db import transaction
from django.db.models import Case, F, When
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from accounting.clock import DatabaseNow
from jobs import services
from jobs.callbacks import Report
from jobs.models import JobLog
from jobs.proof.audit import verify_job
from jobs.sweep import sweep
from receipts.models import Client
from tests.support.job_actions import ANSWERS, Kind, n8n_answering, refused, replayed, unchanged, upload_request
from tests.support.job_model import IN_FLIGHT, OPEN, REFUSALS, ModelJob, Outcome, Standing, Status

PLACES = 1  # so that jobs often meet before it
MAX_JOBS = 3  # few, so that much happens to each
LATER_SECONDS = 10_000  # nothing becomes due by itself while the test runs
SHIFT = timedelta(days=1)
DATABASES = ("0123abcd-4567-89ab-cdef-0123456789ab", "fedcba98-7654-3210-fedc-ba9876543210")
OUTCOMES: tuple[Outcome, ...] = ("failure", "success")
EXECUTIONS = ("", "17", "18")
STANDINGS: tuple[Standing, ...] = ("not told", "success", "error", "running")


class Jobs(RuleBasedStateMachine):
    """All that may happen to the jobs of one receipt; each example is rolled back."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.client = Client.objects.create(name="Shop")
        self.model: dict[UUID, ModelJob] = {}
        self.keys: dict[str, tuple[object, UUID]] = {}

    def teardown(self) -> None:
        """Forget the example."""
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)

    @initialize(target=jobs)
    def first_upload(self) -> Any:
        """Something to begin with."""
        return self.upload(DATABASES[0], "a", allow_duplicate=False)

    # -- uploads -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.model) < MAX_JOBS)
    @rule(
        target=jobs,
        database=st.sampled_from(DATABASES),
        key=st.sampled_from(["", "a", "b", "c"]),
        allow_duplicate=st.booleans(),
    )
    def upload(self, database: str, key: str, allow_duplicate: bool) -> Any:
        """A client uploads: something new, the same again, or the same as another job on purpose."""
        request = upload_request(self.client, database, key, allow_duplicate=allow_duplicate)
        asked = (database, allow_duplicate)
        if key in self.keys:
            return self._repeat(request, key, asked)
        former = dict(self._of_database(database))
        same = {job_id for job_id, job in former.items() if job.status != "failure"}
        submission = services.submit_receipt(request)
        job_id = submission.job.pk
        if key:
            self.keys[key] = (asked, job_id)
        assert submission.created == (allow_duplicate or not same)
        if not submission.created:
            assert job_id in same
            return multiple()
        assert job_id not in self.model
        self.model[job_id] = ModelJob(
            submission.job.created_at, database, is_duplicate=allow_duplicate and bool(former)
        )
        return job_id

    def _repeat(self, request: services.UploadRequest, key: str, asked: object) -> Any:
        known, job_id = self.keys[key]
        if asked == known:
            submission = services.submit_receipt(request)
            assert (submission.job.pk, submission.created) == (job_id, False)
        else:
            with pytest.raises(services.IdempotencyKeyReused):
                services.submit_receipt(request)
        return multiple()

    # -- workers -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_any("queued"))
    @rule(job_id=jobs)
    def claim(self, job_id: UUID) -> None:
        """A worker is rung for a job, rightly or not."""
        job = self.model[job_id]
        in_flight = sum(other.status in IN_FLIGHT for other in self.model.values())
        if job.status == "queued" and job.is_due and in_flight < PLACES:
            if self._is_filed_elsewhere(job):
                job.end("success")
                assert services.claim_job(job_id, worker="w1") is None
                return
            job.claim()
            claimed = services.claim_job(job_id, worker="w1")
            assert claimed is not None
            assert claimed.attempts == job.attempts
        else:
            with unchanged(job_id):
                assert services.claim_job(job_id, worker="w2") is None

    @precondition(lambda self: self.is_any("sending"))
    @rule(job_id=jobs, kind=st.sampled_from(ANSWERS), behind=st.sampled_from([0, 0, 0, 1, 2]))
    def answer(self, job_id: UUID, kind: Kind, behind: int) -> None:
        """A worker writes down what N8N said; one whose lease has passed on is behind and changes nothing."""
        job = self.model[job_id]
        answer, meaning, execution = kind
        mark = partial(services.mark_delivered, job_id, attempt=job.attempts - behind, answer=answer, worker="w1")
        if job.status == "sending" and not behind:
            assert mark() is not None
            job.answer(meaning, execution)
        else:
            with unchanged(job_id):
                assert mark() is None

    @precondition(lambda self: self.is_any("queued"))
    @rule(job_id=jobs, kind=st.sampled_from(ANSWERS))
    def deliver(self, job_id: UUID, kind: Kind) -> None:
        """Both at once: the usual case, which leads to where the unusual begins."""
        self.claim(job_id)
        self.answer(job_id, kind, behind=0)

    # -- N8N and time --------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(job.attempts for job in self.model.values()))
    @rule(job_id=jobs, outcome=st.sampled_from(OUTCOMES), execution=st.sampled_from(EXECUTIONS))
    def report(self, job_id: UUID, outcome: Outcome, execution: str) -> None:
        """N8N calls back, at any time."""
        job = self.model[job_id]
        verdict = job.judge(outcome, execution)
        report = Report(status=JobLog.Status(outcome), execution_id=execution)
        with unchanged(job_id, but_for_a_note=True, unless=verdict in ("accept", "accept_late")):
            completion = services.complete_job(job_id, report, actor="job token")
        assert completion.verdict.name.lower() == verdict
        job.report(outcome, execution)

    @precondition(lambda self: self.is_any(*OPEN))
    @rule()
    def time_passes(self) -> None:
        """Whatever is awaited is overdue."""
        JobLog.objects.filter(due_at__isnull=False).update(due_at=F("due_at") - SHIFT)
        for job in self.model.values():
            job.is_due = job.is_open

    @precondition(lambda self: self.is_any(*IN_FLIGHT))
    @rule(later=st.booleans(), standing=st.sampled_from(STANDINGS))
    def sweep(self, later: bool, standing: Standing) -> None:
        """The sweep acts on what is overdue, and on nothing else; N8N may say how executions stand."""
        if later:
            self.time_passes()
        with n8n_answering(standing):
            sweep()
        for job in self.model.values():
            if job.is_due:
                job.sweep(standing)

    @precondition(lambda self: self.is_any("processing"))
    @rule()
    def run_for_long(self) -> None:
        """N8N is asked twice, and still runs whatever it took."""
        for _ in range(2):
            self.sweep(later=True, standing="running")

    # -- staff ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_any("failure"))
    @rule(job_id=jobs)
    def retry(self, job_id: UUID) -> None:
        """Staff retries: what failed, and is not done by another job."""
        job = self.model[job_id]
        if job.status == "failure" and not self._is_done_elsewhere(job):
            services.retry_job(job_id, actor="anna", reason="again")
            job.start_round()
        else:
            refused(services.retry_job, job_id)

    @precondition(lambda self: self.is_any("queued", "processing"))
    @rule(job_id=jobs)
    def resend(self, job_id: UUID) -> None:
        """Staff has it sent now: what waits, or what N8N may have."""
        job = self.model[job_id]
        if job.status in ("queued", "processing"):
            services.resend_job(job_id, actor="anna", reason="now")
            job.resend()
        else:
            refused(services.resend_job, job_id)

    @precondition(lambda self: self.is_any("queued"))
    @rule(job_id=jobs)
    def cancel(self, job_id: UUID) -> None:
        """Staff cancels: what waits."""
        job = self.model[job_id]
        if job.status == "queued":
            services.cancel_job(job_id, actor="anna", reason="by mistake")
            job.end("failure")
        else:
            refused(services.cancel_job, job_id)

    @precondition(lambda self: self.is_any("processing", "failure"))
    @rule(job_id=jobs, execution=st.sampled_from(EXECUTIONS))
    def start_again_before_bad_news(self, job_id: UUID, execution: str) -> None:
        """Staff starts another round, and only then N8N says what it may say of the former one."""
        (self.retry if self.model[job_id].status == "failure" else self.resend)(job_id)
        self.report(job_id, "failure", execution)

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def every_job_is_as_the_model_says(self) -> None:
        """In the row, which is due sometime where it is open, and in the events, which lead to the row."""
        is_due = Case(When(due_at__lte=DatabaseNow(), then=True), default=False)
        for job in JobLog.objects.annotate(is_due=is_due).prefetch_related("events"):
            model = self.model[job.pk]
            assert (job.status, job.attempts, job.tries, job.is_due) == (
                model.status, model.attempts, model.tries, model.is_due
            )  # fmt: skip
            assert (job.due_at is not None) == model.is_open
            assert replayed(job) == (model.status, model.attempts)
            wrong = {sentence.partition(" is not")[0] for sentence in verify_job(job).wrong}
            assert wrong <= {"its due_at"}  # the test itself lets time pass so

    @invariant()
    def one_open_job_files_a_receipt(self) -> None:
        """But for those that were asked for on purpose."""
        databases = [job.database for job in self.model.values() if job.is_open and not job.is_duplicate]
        assert len(databases) == len(set(databases))

    def is_any(self, *statuses: Status) -> bool:
        """Tell whether any job is so; a rule that needs one may still be given another."""
        return any(job.status in statuses for job in self.model.values())

    def _of_database(self, database: str) -> Iterator[tuple[UUID, ModelJob]]:
        return ((pk, job) for pk, job in self.model.items() if job.database == database)

    def _is_filed_elsewhere(self, job: ModelJob) -> bool:
        """Tell whether a job that had been given up was reported late, and so did what this one waits to do."""
        others = (other for _, other in self._of_database(job.database) if other is not job)
        return any(other.has_filed_for(job) for other in others)

    def _is_done_elsewhere(self, job: ModelJob) -> bool:
        others = [
            other for _, other in self._of_database(job.database) if other is not job and other.status != "failure"
        ]
        return any(other.created_at > job.created_at or not job.is_duplicate for other in others)


@pytest.mark.timeout(3600)  # some seconds of work; minutes where many others work, or with the deep profile
@pytest.mark.django_db
@pytest.mark.parametrize("share", [0.25, pytest.param(4, marks=pytest.mark.faults)])
def test_jobs_keep_the_rules_whatever_happens(settings: LazySettings, share: float) -> None:
    """Of the profile's examples a quarter is run in every run of the tests, and four times as many with the faults.

    They are the same in each run (tests/conftest.py), so that more of them would tell less and less, and a life of
    thirty steps takes most of a second on each of two databases: what is new is looked for with `deep`.
    """
    settings.DELIVERY_RETRY_SCHEDULE = [LATER_SECONDS] * REFUSALS
    settings.N8N_LEASE_SECONDS = settings.CALLBACK_TIMEOUT_SECONDS = LATER_SECONDS
    settings.N8N_MAX_IN_FLIGHT = PLACES
    run_machine(Jobs, settings=profile(max_examples=int(share * profile().max_examples)))
