"""An index of the newest real success."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0011_event_totals")]

    operations = [
        migrations.AddIndex(
            model_name="joblog",
            index=models.Index(
                condition=models.Q(("due_at__isnull", True), ("is_canary", False)),
                fields=["status", "-created_at"],
                name="job_newest_ended",
            ),
        ),
    ]
