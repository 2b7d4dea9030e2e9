"""Structured logs: one JSON object a line (or coloured text), from our code and from every library alike."""

import logging
import logging.config
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from .terminal.printable import printable

SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
PROCESSORS: list[Processor] = [*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]

OUR_MODULES = ("accounting.", "jobs.", "receipts.")  # how our modules' names begin

# These repeat what our own lines say, speak of every small step, or name people and the webhook's secret path.
QUIET = {
    "axes": "CRITICAL",
    "django.security.DisallowedHost": "CRITICAL",  # with a traceback, and what somebody made up
    "django.security.TooManyFilesSent": "CRITICAL",
    "django.server": "ERROR",
    "django.template": "WARNING",  # where a variable is not there it quotes all that the page is made of
    "rq.worker": "WARNING",
    "urllib3": "ERROR",
    "waitress.queue": "ERROR",  # who waits for a thread is in his own line of the log
}


def configure(config: Mapping[str, str]) -> None:
    """Send all logs of the process through structlog to standard error.

    Django calls this with `settings.LOGGING`.

    Args:
        config: `level`, a level's name; `format`, `json` or `console`; and `sentry`, where errors go besides, or "".
    """
    structlog.configure(
        processors=PROCESSORS,  # one list for good, as `structlog.testing.capture_logs` changes what loggers hold on to
        wrapper_class=structlog.make_filtering_bound_logger(config["level"]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(True)  # a warning is a line like any other
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged metadata: a picture may have 65,000 such tags
    logging.config.dictConfig(_dict_config(config))


def _dict_config(config: Mapping[str, str]) -> dict[str, Any]:
    handlers = {"standard_error": {"class": "logging.StreamHandler", "formatter": "structured"}}
    if config["sentry"]:
        handlers["sentry"] = {"class": "accounting.monitoring.sentry.SentryHandler", "level": "ERROR"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": {"()": _formatter, "form": config["format"]}},
        "handlers": handlers,
        "filters": {"exceptions": {"()": _OnlyExceptions}},
        "root": {"handlers": list(handlers), "level": config["level"]},
        "loggers": {
            "django": {"handlers": [], "level": "NOTSET"},  # Django's own handlers would say everything twice
            **{name: {"handlers": [], "level": level, "propagate": True} for name, level in QUIET.items()},
            "django.request": {"handlers": [], "level": "ERROR", "filters": ["exceptions"]},
        },
    }


@contextmanager
def only_warnings() -> Iterator[None]:
    """Log nothing less for as long as the block lasts, where somebody reads something else at the same terminal."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(max(before, logging.WARNING))
    try:
        yield
    finally:
        root.setLevel(before)


class _OnlyExceptions(logging.Filter):
    """Lets what was raised pass; an answer that says 503 is a line of ours already, and no error."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


def _formatter(form: str) -> logging.Formatter:
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [_harmless, structlog.dev.ConsoleRenderer(exception_formatter=_write_traceback)]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _harmless(logger: Any, name: str, line: EventDict) -> EventDict:
    """Return the line without what a terminal would obey; what is no text is written by its `repr`."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in line.items()}


def _write_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    """Write it without such, too; rich would show variables."""
    traceback = StringIO()
    structlog.dev.plain_traceback(traceback, exc_info)
    out.write(printable(traceback.getvalue(), keeping="\n"))
