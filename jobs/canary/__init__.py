"""Canaries: receipts of the service's own, sent to N8N and back to see whether that works; they file nothing."""

from .journey import Stage, Step, is_settled, stages_after, stalled, steps
from .sending import DATABASE_ID, canaries, send, send_scheduled
from .watch import State, Watch, look

__all__ = [
    "DATABASE_ID",
    "Stage",
    "State",
    "Step",
    "Watch",
    "canaries",
    "is_settled",
    "look",
    "send",
    "send_scheduled",
    "stages_after",
    "stalled",
    "steps",
]
