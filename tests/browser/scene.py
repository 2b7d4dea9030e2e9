"""`python -m tests.browser.scene PART`: fills an installation's database, and prints what is to be known as JSON.

It runs in a process of its own, with the installation's environment: the browser's tests ask the database nothing.
"""

import json
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import django

from tests.support.servers import made_up

PASSWORD = made_up("password of staff")
PEOPLE = {"root": "", "audrey": "Auditor", "oscar": "Operator", "ada": "Administrator"}  # names and their roles


def people() -> dict[str, str]:
    """Make a superuser and one person of each role."""
    from django.contrib.auth.models import Group, User

    for name, role in PEOPLE.items():
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True, is_superuser=not role)
        user.groups.set(Group.objects.filter(name=role))
    return PEOPLE


def pages() -> dict[str, list[str]]:
    """Make something for every page of the admin to show, and return the pages' addresses."""
    from django.conf import settings
    from redis import Redis

    from receipts.models import ApiKey
    from tests.support.admin_pages import every_page

    ApiKey.objects.all().delete()  # every_page makes the only one
    with Redis.from_url(settings.REDIS_URL) as redis:
        return every_page(redis)


def failed() -> list[str]:
    """Let three receipts of the one client be filed in vain; return their jobs' ids."""
    from django.db import transaction

    from tests.support.job_lifecycle import delivered, reported, uploaded

    with transaction.atomic():  # before any worker hears of them
        jobs = [delivered(uploaded(database=str(uuid4()))) for _ in range(3)]
        return [str(reported(job, status=job.Status.FAILURE, message="Notion was away.").pk) for job in jobs]


def taken() -> str:
    """Let N8N take a receipt of which it never reports; return the job's id."""
    from django.db import transaction

    from tests.support.job_lifecycle import delivered, uploaded

    with transaction.atomic():
        return str(delivered(uploaded(database=str(uuid4()))).pk)


def month() -> dict[str, str]:
    """Let a whole month pass; return what is worth a picture."""
    from tests.browser.month import Month

    return Month().tell()


PARTS: dict[str, Callable[[], Any]] = {part.__name__: part for part in (people, pages, failed, taken, month)}

if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(PARTS[sys.argv[1]]()))
