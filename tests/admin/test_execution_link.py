"""A job's page leads to its execution in N8N, where it is known how to get there."""

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from jobs.answers import Answer
from jobs.callbacks import Report
from jobs.models import JobLog
from jobs.services import complete_job, mark_delivered, resend_job
from tests.factories import JobFactory

pytestmark = pytest.mark.django_db
N8N = "https://n8n.example.com"
ACCEPTED = b'{"accepted":true,"execution_id":"17","workflow_id":"wf4EZnTJHk2c8oQX"}'


def delivered(body: bytes = ACCEPTED, **fields: Any) -> JobLog:
    job = JobFactory.create(sending=True, **fields)
    answer = Answer(status=200, content_type="application/json", body=body)
    mark_delivered(job.pk, attempt=job.attempts, answer=answer, worker="w1")
    return job


def page_of(client: Client, job: JobLog) -> str:
    return client.get(f"/admin/jobs/joblog/{job.pk}/change/").content.decode()


def test_it_leads_to_the_execution_of_the_workflow_that_answered(admin_client: Client, settings: LazySettings) -> None:
    settings.N8N_BASE_URL = N8N
    page = page_of(admin_client, delivered())
    assert f'href="{N8N}/workflow/wf4EZnTJHk2c8oQX/executions/17"' in page


def test_an_id_from_elsewhere_leads_nowhere_else(admin_client: Client, settings: LazySettings) -> None:
    settings.N8N_BASE_URL = N8N
    page = page_of(admin_client, delivered(b'{"execution_id":"../../x?y","workflow_id":"a/b"}'))
    assert f'href="{N8N}/workflow/a%2Fb/executions/..%2F..%2Fx%3Fy"' in page


def test_where_no_workflow_was_named_it_leads_to_the_list_of_executions(
    admin_client: Client, settings: LazySettings
) -> None:
    settings.N8N_BASE_URL = N8N
    assert f'href="{N8N}/executions"' in page_of(admin_client, delivered(b'{"execution_id":"17"}'))


def test_a_workflow_of_an_earlier_execution_does_not_count(admin_client: Client, settings: LazySettings) -> None:
    settings.N8N_BASE_URL = N8N
    job = delivered()
    resend_job(job.pk, actor="anna", reason="now")
    JobLog.objects.filter(pk=job.pk).update(n8n_execution_id="18", due_at=timezone.now())
    assert f'href="{N8N}/executions"' in page_of(admin_client, job)


def test_without_an_address_of_n8n_there_is_no_link(admin_client: Client) -> None:
    assert "/executions" not in page_of(admin_client, delivered())


def test_what_failed_leads_there_from_its_first_words(admin_client: Client, settings: LazySettings) -> None:
    settings.N8N_BASE_URL = N8N
    job = delivered()
    assert "Open the execution in N8N" not in page_of(admin_client, job)
    complete_job(job.pk, Report(status=JobLog.Status.FAILURE, message="No.", execution_id="17"), actor="job token")
    callout, *_ = re.findall(r'<p class="callout callout-failure">.*?</p>', page_of(admin_client, job), re.DOTALL)
    assert f'href="{N8N}/workflow/wf4EZnTJHk2c8oQX/executions/17"' in callout
