"""The model of a seal; `jobs.proof.sealing` makes and verifies them."""

from django.db import models
from django.utils.formats import date_format


class Seal(models.Model):
    """All events of one hour, whatever job they belong to, signed together with the seal before."""

    number = models.PositiveIntegerField(unique=True)
    hour = models.DateTimeField(unique=True, help_text="its beginning")
    last_event = models.BigIntegerField(help_text="id of the last event that it covers, from the seal before on")
    events = models.PositiveIntegerField()
    jobs = models.PositiveIntegerField()
    made_at = models.DateTimeField(null=True, editable=False)  # by the database's clock; older seals do not say
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return date_format(self.hour, "DATETIME_FORMAT")
