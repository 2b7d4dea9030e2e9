"""A job's page in the admin: where it is, and what it says."""

from django.test import Client as Browser
from django.urls import reverse

from jobs.models import JobLog


def page(job: JobLog) -> str:
    """Return its address."""
    return reverse("admin:jobs_joblog_change", args=[job.pk])


def text_of(browser: Browser, job: JobLog) -> str:
    """Return what it shows to somebody."""
    return browser.get(page(job)).content.decode()
