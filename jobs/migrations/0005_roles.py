"""A permission to change the queue."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0004_hourly_figures")]

    operations = [
        migrations.AlterModelOptions(
            name="joblog",
            options={
                "ordering": ["-created_at"],
                "permissions": [
                    ("operate_joblog", "Can retry, send again and cancel jobs"),
                    ("change_queue", "Can empty the queue, and delete and requeue its rings"),
                ],
                "verbose_name": "job",
            },
        ),
    ]
