"""Canaries: receipts of the service's own, sent to N8N and back to see whether that works; they file nothing."""

from .health import CanaryHealth, CanaryState, check_health
from .journey import Stage, Step, is_settled, stages_after, stalled, steps
from .sending import DATABASE_ID, canaries, canaries_until, send, send_scheduled, why_not_stored

__all__ = [
    "DATABASE_ID",
    "CanaryHealth",
    "CanaryState",
    "Stage",
    "Step",
    "canaries",
    "canaries_until",
    "check_health",
    "is_settled",
    "send",
    "send_scheduled",
    "stages_after",
    "stalled",
    "steps",
    "why_not_stored",
]
