"""The app's entry: registers its system checks."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """What becomes of a receipt."""

    name = "jobs"
    verbose_name = "Receipt operations"

    def ready(self) -> None:
        """Register the checks."""
        from . import checks  # noqa: F401 - registers by being imported
