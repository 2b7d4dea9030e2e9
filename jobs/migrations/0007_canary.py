"""Canaries: a column that tells them from receipts, and indexes for receipts only, or for canaries only."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0006_list_indexes"),
        ("receipts", "0004_files_by_name"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="joblog",
            name="job_failed",
        ),
        migrations.RemoveIndex(
            model_name="joblog",
            name="job_filename",
        ),
        migrations.AddField(
            model_name="joblog",
            name="is_canary",
            field=models.BooleanField(db_default=False, default=False, editable=False, help_text="sent by the service itself, to see whether the way to N8N and back works", verbose_name="canary"),
        ),
        migrations.AddIndex(
            model_name="joblog",
            index=models.Index(condition=models.Q(("is_canary", False)), fields=["filename"], name="job_filename", opclasses=["varchar_pattern_ops"]),
        ),
        migrations.AddIndex(
            model_name="joblog",
            index=models.Index(condition=models.Q(("is_canary", False), ("status", "failure")), fields=["status", "completed_at", "failure_code"], name="job_failed"),
        ),
        migrations.AddIndex(
            model_name="joblog",
            index=models.Index(condition=models.Q(("is_canary", True)), fields=["-created_at"], name="job_newest_canary"),
        ),
    ]
