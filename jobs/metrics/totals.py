"""The model of what was counted of events; `jobs.metrics.counting` moves it on."""

from django.db import models


class EventTotals(models.Model):
    """What metrics count of all events up to one of them, from the first pass of a sweep on: a single row."""

    last_event = models.BigIntegerField(help_text="id of the last event that is counted")
    transitions = models.JSONField(default=dict, help_text="how many, by kind and source")
    deliveries = models.JSONField(default=dict, help_text="how many took how long, by bucket, and the sum")
    round_trips = models.JSONField(default=dict, help_text="the same, from the upload to the success")

    class Meta:
        verbose_name_plural = "event totals"

    def __str__(self) -> str:
        return f"up to event {self.last_event}"
