from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


class AddIndexBesideWriters(migrations.AddIndex):
    """Lets others write meanwhile: what `AddIndexConcurrently` does on PostgreSQL, whose driver SQLite need not load."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return super().database_forwards(app_label, schema_editor, from_state, to_state)
        model = to_state.apps.get_model(app_label, self.model_name)
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
            former = cursor.fetchone()
            # it waits for each older transaction's end, for which it locks it
            cursor.execute("SET lock_timeout = 0; SET statement_timeout = 0")
            schema_editor.remove_index(model, self.index, concurrently=True)  # what one that broke off has left
            schema_editor.add_index(model, self.index, concurrently=True)
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)", former
            )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("jobs", "0012_figures_of_spans"),
    ]
    operations = [
        AddIndexBesideWriters(
            model_name="joblog",
            index=models.Index(fields=["receipt", "notion_database_id", "-created_at"], name="job_newest_of_receipt"),
        ),
    ]
