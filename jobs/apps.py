"""The app's entry: registers its system checks, and lets RQ do what we use it for."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """What becomes of a receipt."""

    name = "jobs"
    verbose_name = "Receipt operations"

    def ready(self) -> None:
        """Register the checks, and have Redis trusted with no more than to ring."""
        from . import checks  # noqa: F401 - registers by being imported
        from .rings import take_nothing_but_rings

        take_nothing_but_rings()
