"""A permission to set up N8N."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0009_diagnosis")]

    operations = [
        migrations.AlterModelOptions(
            name="joblog",
            options={
                "ordering": ["-created_at"],
                "permissions": [
                    ("operate_joblog", "Can retry, send again and cancel jobs"),
                    ("change_queue", "Can empty the queue, and delete and requeue its rings"),
                    ("install_workflows", "Can set up N8N: download and install workflows"),
                ],
                "verbose_name": "job",
            },
        ),
    ]
