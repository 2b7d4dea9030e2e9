"""Jobs and their events for staff: everything can be seen, only the audited actions change anything."""

from . import events, joblog, queue, seals

__all__ = ["events", "joblog", "queue", "seals"]  # each registers by being imported
