"""A key is known by its prefix: its former id held its hash, which stood in the admin's addresses, and so in logs.

The version before finds keys by their prefix as well, and works on.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import F


def name_by_prefix(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give each key its prefix as its id, where staff's log names it, too."""
    ApiKey = apps.get_model("receipts", "ApiKey")
    LogEntry = apps.get_model("admin", "LogEntry")
    for key in ApiKey.objects.exclude(id=F("prefix")):
        entries = LogEntry.objects.filter(content_type__app_label="receipts", content_type__model="apikey")
        entries.filter(object_id=key.id).update(object_id=key.prefix)
        ApiKey.objects.filter(id=key.id).update(id=key.prefix)


class Migration(migrations.Migration):
    dependencies = [("receipts", "0005_no_key_for_canaries"), ("admin", "0003_logentry_add_action_flag_choices")]

    operations = [migrations.RunPython(name_by_prefix, migrations.RunPython.noop)]
