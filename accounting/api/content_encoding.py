"""Bodies come as they are."""

from django.http import HttpRequest
from rest_framework.request import Request

from accounting.problems import Problem


def refuse_encoded(request: Request | HttpRequest) -> None:
    """Refuse a body that was compressed, RFC 9110 section 8.4: nothing here would unpack it.

    Raises:
        Problem: 415 `encoding_not_supported`.
    """
    if request.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        detail = "Send the body as it is, without Content-Encoding."
        raise Problem(415, "encoding_not_supported", detail, headers={"Accept-Encoding": "identity"})
