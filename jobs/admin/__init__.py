"""Jobs and their events for staff: everything can be seen, only the audited actions change anything."""

from jobs import queue_admin

from . import events, joblog

__all__ = ["events", "joblog", "queue_admin"]  # each registers by being imported
