"""The models of figures over time: what is kept of spans that are over. `jobs.rollups` writes them."""

from django.db import models


class KeptFigures(models.Model):
    """What happened in a span of time that is over; written once."""

    received = models.PositiveIntegerField()
    succeeded = models.PositiveIntegerField()
    failed = models.JSONField(help_text="how many failed, by failure code")
    latencies = models.JSONField(help_text="how many succeeded after how long, by bucket (jobs.histogram)")

    class Meta:
        abstract = True


class HourlyFigures(KeptFigures):
    """An hour, counted from its events: the truth of which every longer span is a sum."""

    hour = models.DateTimeField(primary_key=True, help_text="when it began")

    class Meta:
        verbose_name_plural = "hourly figures"

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:%M}"


class SpanFigures(KeptFigures):
    """Another span, so that pages have less to add up or to count; without these rows they would say the same."""

    minutes = models.PositiveIntegerField(help_text="how long it is")
    begin = models.DateTimeField(help_text="when it began")

    class Meta:
        verbose_name_plural = "figures of spans"
        constraints = [models.UniqueConstraint(fields=["minutes", "begin"], name="figures_once_per_span")]

    def __str__(self) -> str:
        return f"{self.minutes} minutes from {self.begin:%Y-%m-%d %H:%M}"
