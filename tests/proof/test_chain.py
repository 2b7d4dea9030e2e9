"""What is signed is signed in one way, whichever version signs it: an upgrade calls no history broken."""

from datetime import UTC, datetime
from uuid import UUID

from django.conf import LazySettings

from jobs.models import JobEvent, Seal
from jobs.proof.chain import event_content, fingerprints, head, keys, sign
from jobs.proof.sealing import _signed

KEY, JOB = b"k" * 32, UUID(int=7)
NINE = datetime(2026, 11, 28, 9, tzinfo=UTC)


def test_what_an_earlier_version_has_signed_still_counts() -> None:
    event = JobEvent(
        job_id=JOB,
        number=2,
        at=NINE,
        kind="claimed",
        source="worker",
        actor="w1",
        from_status="queued",
        to_status="sending",
        attempt=1,
        detail={"a": 1},
        facts={"status": "00"},
        digest="e6799103a4d3a5186457f580a62006a9921833cdfefd2a67a5d7fa44dc5a469b",
    )
    last, seal = Seal(number=1, last_event=5, digest="ab"), Seal(number=2, hour=NINE, last_event=9, events=4, jobs=1)
    assert fingerprints(KEY, JOB, {"filename": "a.jpg"}) == {"filename": "d1a49e3faf3d1c64e1a839c1db63d7a8"}
    assert sign(KEY, event_content(event, "head before")) == event.digest
    assert head(KEY, event) == "e654b33acb8c20c0f531b31cf56e44dff318cb4d48016b4a48c096b727c6defb"
    assert sign(KEY, _signed(seal, "cd", last)) == "19dafd3c989e7fa1275ed4aded4b0abaa2a5e2d742cbd124356e92b5b70f2c13"


def test_a_secret_gives_the_key_that_it_has_given_before(settings: LazySettings) -> None:
    settings.AUDIT_KEY = ["a secret"]
    assert [key.hex() for key in keys()] == ["e9ca9e56e055c7d4f814be5bc4a396ea45fde0cb13b03e4807637b29c830c447"]
