"""The status of each component that does the work: whether it is alive, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q
from django.template.defaultfilters import pluralize

from accounting.redis.shared import shared_redis
from jobs import canary
from jobs.causes import cause_of
from jobs.delivery_errors import NEVER_SENT
from jobs.durations import format_duration
from jobs.heartbeats import beats, living
from jobs.models import Heartbeat, JobEvent
from jobs.queue import queue_service
from receipts.storage import storage_trouble

Kind, Source = JobEvent.Kind, JobEvent.Source

REMEMBERED = timedelta(days=1)
MAX_LETTERS = 200  # of what N8N says
EVENTS_READ = 1000  # of that day, the latest: it takes no longer on a busy day
REFUSAL_CURE = "it takes no such password, or user: correct REDIS_URL, and start all processes again"
COMMANDS = {Heartbeat.Kind.WORKER: "rqworker", Heartbeat.Kind.SWEEP: "sweep_jobs"}
STORAGE_CURES = {
    "not mounted": "mount the volume of MEDIA_ROOT",
    "unavailable": "see that MEDIA_ROOT has room and that it, and all in it, belongs to the service's user, "
    "or that S3_BUCKET lets us in",
}


def _is_not_of_our_side(name: str) -> Q:
    """Return the condition that a code of an event's tells of nothing that kept us from sending; or there is none."""
    return Q(**{f"detail__{name}__isnull": True}) | ~Q(**{f"detail__{name}__in": NEVER_SENT})


WAS_SENT = _is_not_of_our_side("code") & _is_not_of_our_side("refused_for")
SAID = {
    "callback": Q(source=Source.CALLBACK),
    "delivery": Q(kind=Kind.DELIVERED),
    "trouble": WAS_SENT & (Q(kind__in=[Kind.REFUSED, Kind.UNCONFIRMED]) | Q(kind=Kind.FAILED, source=Source.WORKER)),
}


@dataclass(frozen=True, kw_only=True)
class ComponentStatus:
    """What is known of one part.

    Attributes:
        name: of the part.
        tone: good, warn or bad.
        word: the same as a word.
        facts: what says so.
    """

    name: str
    tone: str
    word: str
    facts: list[str]


def component_statuses(now: datetime) -> list[ComponentStatus]:
    """Return what is known of workers, sweep, Redis, the storage of files and N8N.

    Args:
        now: by the database's clock.
    """
    workers = _processes("Workers", Heartbeat.Kind.WORKER, now)
    return [workers, _processes("Sweep", Heartbeat.Kind.SWEEP, now), _redis(), _files(), _n8n(now)]


def _processes(name: str, kind: Heartbeat.Kind, now: datetime) -> ComponentStatus:
    alive = living(kind, now).aggregate(number=Count("pk"), at=Max("at"))
    if alive["number"]:
        count = f"{alive['number']} {kind.label.lower()}{pluralize(alive['number'])}"
        return ComponentStatus(
            name=name, tone="good", word="alive", facts=[f"{count}, last beat {format_duration(now - alive['at'])} ago"]
        )
    last = beats(kind, now).aggregate(at=Max("at"))["at"]
    fact = f"none alive, last beat {format_duration(now - last)} ago" if last else "none has been seen for a day"
    return ComponentStatus(name=name, tone="bad", word="silent", facts=[fact, f"start manage.py {COMMANDS[kind]}"])


def _redis() -> ComponentStatus:
    """Ask for the number of rings; a Redis that is away is waited for once and then left alone for a while."""
    depth = queue_service().depth()
    if depth is None:
        facts = ["no worker can be rung for; nothing is lost, and the sweep rings once it is back"]
        if shared_redis().refuses_us:
            return ComponentStatus(name="Redis", tone="bad", word="refuses us", facts=[REFUSAL_CURE, *facts])
        return ComponentStatus(name="Redis", tone="bad", word="away", facts=facts)
    return ComponentStatus(name="Redis", tone="good", word="alive", facts=[f"{depth} ring{pluralize(depth)} waiting"])


def _files() -> ComponentStatus:
    """Ask as readiness does: a bucket that gives no answer is waited for once and then left alone for a while."""
    trouble = storage_trouble()
    if not trouble:
        return ComponentStatus(name="Files", tone="good", word="alive", facts=["receipts can be stored"])
    # a storage that is too slow for this look may take uploads, and a folder that is nearly full small ones
    fact = "uploads may be refused" if trouble == "unavailable" else "uploads are refused"
    facts = [fact, STORAGE_CURES[trouble]]
    return ComponentStatus(name="Files", tone="bad", word=trouble, facts=facts)


def _n8n(now: datetime) -> ComponentStatus:
    """Tell what the latest events say of N8N; it is not asked, for that would be one more receipt or none at all."""
    latest = JobEvent.objects.filter(at__gte=now - REMEMBERED).order_by("-at")[:EVENTS_READ]
    found = latest.aggregate(**{what: Max("at", filter=said) for what, said in SAID.items()})
    at = {what: moment for what, moment in found.items() if moment}
    facts = [f"last {what} {format_duration(now - moment)} ago{_reason(what, moment)}" for what, moment in at.items()]
    health = canary.check_health(now)
    facts += _canary_facts(health)
    if health.is_alarming:
        return ComponentStatus(name="N8N", tone="bad", word="in trouble", facts=facts)
    return _judge(at, facts)


def _reason(what: str, at: datetime) -> str:
    if what != "trouble":
        return ""
    code = JobEvent.objects.filter(SAID[what], at=at).values_list("detail__code", flat=True).first()
    return f": {cause_of(code or '').sentence}"


def _canary_facts(health: canary.CanaryHealth) -> Iterator[str]:
    """Tell of the last round trip, and of what has become of canaries since."""
    trip, cause = health.round_trip, cause_of(health.code)
    if trip and health.age is not None:
        said = trip.message[:MAX_LETTERS] or "without a word"
        failure = "" if trip.succeeded else f"; N8N reported a failure: {said}"
        yield f"last canary back {format_duration(health.age)} ago, after {format_duration(trip.seconds)}{failure}"
    match health.state:
        case canary.CanaryState.FAILED:
            yield f"a canary did not come back: {cause.sentence} {cause.cure}"
        case canary.CanaryState.LATE:
            since = " since" if trip else ""
            yield f"no canary has come back{since}, though one is sent every {format_duration(health.interval)}"


def _judge(at: dict[str, datetime], facts: list[str]) -> ComponentStatus:
    heard = max((moment for what, moment in at.items() if what != "trouble"), default=None)
    if heard is None and "trouble" not in at:
        return ComponentStatus(
            name="N8N", tone="warn", word="quiet", facts=["nothing has been sent to it lately", *facts]
        )
    if heard is None or at.get("trouble", heard) > heard:
        return ComponentStatus(name="N8N", tone="bad", word="in trouble", facts=facts)
    return ComponentStatus(name="N8N", tone="good", word="alive", facts=facts)
