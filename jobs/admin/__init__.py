"""Jobs and their events for staff: everything can be seen, only the audited actions change anything."""

from . import events, joblog, queue

__all__ = ["events", "joblog", "queue"]  # each registers by being imported
