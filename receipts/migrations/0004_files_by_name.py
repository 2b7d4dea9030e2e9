"""Find the row of a file, without reading all rows for every five hundred files."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("receipts", "0003_receipt_sha256")]

    operations = [
        migrations.AddIndex("receipt", models.Index(fields=["file"], name="receipt_file")),
        migrations.AddIndex("rendition", models.Index(fields=["file"], name="rendition_file")),
    ]
