"""Begin the chains: what happened before is signed as it is found, and an event of each job says so."""

from datetime import timedelta

from django.core.management import CommandError
from django.db import migrations, models
from django.utils import timezone

from accounting.clock import DatabaseNow
from jobs.proof.chain import extend, facts_of

BATCH = 500
ALIVE_WITHIN = timedelta(seconds=45)  # workers and sweeps write down every 15 s that they live


def refuse_while_others_work(apps, schema_editor):
    """Refuse where a worker or a sweep of the version before is alive: what it wrote from now on would be refused."""
    alive = apps.get_model("jobs", "Heartbeat").objects.filter(at__gt=DatabaseNow() - ALIVE_WITHIN).count()
    if alive:
        raise CommandError(
            f"{alive} workers or sweeps were alive {ALIVE_WITHIN.seconds} seconds ago: stop all processes, web, workers "
            "and sweep, before jobs.0003_proof begins the audit's chains, and migrate again."
        )


def adopt(apps, schema_editor):
    """Number and sign all events of all jobs that have no chain yet, and add one that answers for the row."""
    JobLog, JobEvent = apps.get_model("jobs", "JobLog"), apps.get_model("jobs", "JobEvent")
    without = JobLog.objects.filter(chain_length=0).select_related("receipt").order_by("pk")
    while jobs := list(without[:BATCH]):
        events = {job.pk: [] for job in jobs}
        for event in JobEvent.objects.filter(job__in=events).order_by("id"):
            events[event.job_id].append(event)
        adoptions = [adopt_job(job, events[job.pk], JobEvent) for job in jobs]
        signed = [(event.number, event.digest, event.pk) for each in events.values() for event in each]
        with schema_editor.connection.cursor() as cursor:  # some times faster than bulk_update
            cursor.executemany("UPDATE jobs_jobevent SET number = %s, digest = %s WHERE id = %s", signed)
        JobEvent.objects.bulk_create(adoptions)
        JobLog.objects.bulk_update(jobs, ["chain_length", "chain_head"], batch_size=100)
    schema_editor.connection.check_constraints()  # none is left to be checked while tables are altered


def adopt_job(job, events, event_model):
    """Sign the events of a job, and return a further one that answers for the row as it is now."""
    for event in events:
        vars(job).update(extend(event, job, {}))
    adoption = event_model(
        job=job, at=timezone.now(), kind="adopted", source="admin", actor="manage.py migrate", attempt=job.attempts,
        detail={"events": len(events)},
    )
    vars(job).update(extend(adoption, job, facts_of(job)))
    return adoption


KINDS = [
    ("received", "Received"), ("repeated", "Uploaded again"), ("claimed", "Claimed by a worker"),
    ("delivered", "Delivered to N8N"), ("unconfirmed", "Sent, but not confirmed"), ("refused", "Not taken by N8N"),
    ("lease_ended", "Taken back from a silent worker"), ("resent", "Queued to be sent again"),
    ("retried", "Retried by staff"), ("cancelled", "Cancelled by staff"), ("succeeded", "Filed in Notion"),
    ("failed", "Failed"), ("callback_repeated", "Callback repeated"), ("callback_refused", "Callback refused"),
    ("purged", "File deleted by the retention rule"), ("adopted", "Taken into the chain as it was found"),
]
SIGNATURE = "its signature, over those before as well"
PLACE = "its place among the job's events, from 1 on"


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0002_file_unreadable"),
        ("receipts", "0002_renditions"),
    ]

    operations = [
        migrations.RunPython(refuse_while_others_work, migrations.RunPython.noop, elidable=True),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(unique=True)),
                ("hour", models.DateTimeField(help_text="its beginning", unique=True)),
                ("last_event", models.BigIntegerField(help_text="id of the last event that it covers, from the seal before on")),
                ("events", models.PositiveIntegerField()),
                ("jobs", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
            ],
            options={"ordering": ["number"]},
        ),
        migrations.AddField(
            model_name="joblog",
            name="chain_head",
            field=models.CharField(blank=True, default="", editable=False, help_text="signs the next event, too", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="joblog",
            name="chain_length",
            field=models.PositiveIntegerField(default=0, editable=False, help_text="events written so far"),
        ),
        migrations.AddField(
            model_name="jobevent",
            name="digest",
            field=models.CharField(default="", editable=False, help_text=SIGNATURE, max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="jobevent",
            name="facts",
            field=models.JSONField(default=dict, editable=False, help_text="fingerprints of the columns that it changed"),
        ),
        migrations.AddField(
            model_name="jobevent",
            name="number",
            field=models.PositiveIntegerField(editable=False, help_text=PLACE, null=True),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=20),
        ),
        migrations.RunPython(adopt, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="jobevent",
            name="number",
            field=models.PositiveIntegerField(editable=False, help_text=PLACE),
        ),
        migrations.AddConstraint(
            model_name="jobevent",
            constraint=models.UniqueConstraint(fields=("job", "number"), name="event_once_per_place"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="job",
            field=models.ForeignKey(db_index=False, on_delete=models.deletion.PROTECT, related_name="events", to="jobs.joblog"),
        ),
    ]
