"""Signs of life: workers and sweeps write down that they live, and others ask who does."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import QuerySet

from accounting.clock import CLOCK_SLACK, DatabaseNow


class Heartbeat(models.Model):
    """When a process of ours last said that it lives."""

    class Kind(models.TextChoices):
        """What kind of process."""

        WORKER = "worker", "Worker"
        SWEEP = "sweep", "Sweep"

    name = models.CharField(primary_key=True, max_length=150)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


# A worker beats every 15 s, up to 5 s later while it delivers, up to 15 s where it waits for a Redis that hangs.
ALIVE_WITHIN = {
    Heartbeat.Kind.WORKER: timedelta(seconds=45),
    Heartbeat.Kind.SWEEP: timedelta(seconds=60),
}
KEPT = timedelta(days=1)


def beat(name: str, kind: Heartbeat.Kind) -> None:
    """Write down that this process lives."""
    Heartbeat.objects.update_or_create(name=name, defaults={"kind": kind, "at": DatabaseNow()})


def living(kind: Heartbeat.Kind, now: datetime | DatabaseNow) -> QuerySet[Heartbeat]:
    """Return the beats of those that live."""
    return beats(kind, now).filter(at__gte=now - ALIVE_WITHIN[kind])


def beats(kind: Heartbeat.Kind, now: datetime | DatabaseNow) -> QuerySet[Heartbeat]:
    """Return each one's last beat, but for those by a clock that was ahead: they would live for as long as it was."""
    return Heartbeat.objects.filter(kind=kind, at__lte=now + ALIVE_WITHIN[kind]).order_by()


def forget_dead_processes() -> None:
    """Remove the heartbeats of processes that have been silent for a day, and those by a clock that was ahead."""
    now = DatabaseNow()
    Heartbeat.objects.exclude(at__range=(now - KEPT, now + CLOCK_SLACK)).delete()
