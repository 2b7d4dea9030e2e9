"""What the sandbox reports of a receipt, and how."""

from typing import Any

import requests
from django.utils import timezone

from jobs.signatures import TOKEN_HEADER

from .webhook import Behaviour, Delivery

CALLBACK_ANSWER_SECONDS = 10


def make_report(delivery: Delivery, behaviour: Behaviour, execution_id: str) -> dict[str, Any]:
    """Return what a workflow would report of the receipt."""
    if not delivery.is_whole:
        return _failure("The picture did not arrive whole: its sha256 is another.", execution_id)
    if behaviour is Behaviour.FAILURE:
        return _failure("The sandbox was told to fail.", execution_id)
    if delivery.is_canary:
        return {"status": "success", "message": "The canary is back from the sandbox.", "execution_id": execution_id}
    return {
        "status": "success",
        "message": "Filed nowhere: this was the sandbox.",
        "execution_id": execution_id,
        "data": {
            "sandbox": True,
            "vendor": "Sandbox Shop",
            "date": timezone.localdate().isoformat(),
            "total": 12.34,
            "currency": "EUR",
        },
    }


def _failure(message: str, execution_id: str) -> dict[str, Any]:
    return {"status": "failure", "message": message, "execution_id": execution_id}


def post_report(delivery: Delivery, report: dict[str, Any]) -> str:
    """Post a report; return the answer's HTTP status, or the name of what went wrong."""
    headers = {TOKEN_HEADER: delivery.callback_token, "User-Agent": "n8n-sandbox"}
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy before loopback, and no ~/.netrc
            answer = session.post(
                delivery.callback_url,
                json=report,
                headers=headers,
                timeout=CALLBACK_ANSWER_SECONDS,
                allow_redirects=False,
            )
    except (requests.RequestException, ValueError) as error:
        return type(error).__name__
    return str(answer.status_code)
