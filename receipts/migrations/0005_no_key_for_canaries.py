"""The service's own client is none that a key may be made for; nothing changes in the database."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("receipts", "0004_files_by_name")]

    operations = [
        migrations.AlterField(
            "apikey",
            "client",
            models.ForeignKey(
                limit_choices_to=models.Q(("name", "Canary"), _negated=True),
                on_delete=django.db.models.deletion.PROTECT,
                related_name="keys",
                to="receipts.client",
            ),
        )
    ]
