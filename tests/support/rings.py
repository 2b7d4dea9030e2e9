"""One ring for a job, with an N8N that behaves as it is told to."""

from jobs.models import JobLog
from jobs.tasks import trigger_n8n_workflow

from .deliveries import n8n_at
from .stub_server import Behaviour, stub_server


def ring(job: JobLog, behaviour: Behaviour) -> str:
    """Let a worker hear a ring for the job, with an N8N that behaves so; return what the task says."""
    with stub_server(behaviour) as server, n8n_at(server.url):
        return ring_at(job)


def ring_at(job: JobLog) -> str:
    """Let a worker hear a ring for the job; return what the task says."""
    outcome = trigger_n8n_workflow(str(job.pk))
    job.refresh_from_db()
    return outcome


def kinds(job: JobLog) -> list[str]:
    """Return what kinds of events the job has."""
    return list(job.events.values_list("kind", flat=True))
