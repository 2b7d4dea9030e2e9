"""What these two answered, the lists' indexes answer as well; each change of a job kept two more."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0006_list_indexes"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="joblog",
            name="job_open",
        ),
        migrations.RemoveIndex(
            model_name="joblog",
            name="job_needs_attention",
        ),
    ]
