"""Counters for metrics: a row of their own, which the sweep makes at its first pass."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0010_install_workflows'),
    ]

    operations = [
        migrations.CreateModel(
            name='EventTotals',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last_event', models.BigIntegerField(help_text='id of the last event that is counted')),
                ('transitions', models.JSONField(default=dict, help_text='how many, by kind and source')),
                ('deliveries', models.JSONField(default=dict, help_text='how many took how long, by bucket, and the sum')),
                ('round_trips', models.JSONField(default=dict, help_text='the same, from the upload to the success')),
            ],
            options={
                'verbose_name_plural': 'event totals',
            },
        ),
    ]
