"""To the second, and of 24 hours: times are UTC, and are compared with those in logs."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "j M Y H:i:s"
