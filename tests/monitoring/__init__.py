"""What tells operators how it is: health, metrics, logs, Sentry."""
