"""No client of the service's own is one that a key may be made for; nothing changes in the database."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("receipts", "0006_keys_by_prefix")]

    operations = [
        migrations.AlterField(
            "apikey",
            "client",
            models.ForeignKey(
                limit_choices_to=models.Q(("name__in", ("Admin uploads", "Canary")), _negated=True),
                on_delete=django.db.models.deletion.PROTECT,
                related_name="keys",
                to="receipts.client",
            ),
        )
    ]
