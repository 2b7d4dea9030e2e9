"""What the sandbox answers: Django's responses, sent without the rest of Django."""

from wsgiref.types import StartResponse

from django.http import HttpResponse, JsonResponse


def send(reply: HttpResponse, start_response: StartResponse) -> list[bytes]:
    """Answer the WSGI request."""
    reply["Content-Length"] = len(reply.content)
    start_response(f"{reply.status_code} {reply.reason_phrase}", list(reply.items()))
    return [reply.content]


class ErrorReply(Exception):
    """The request does not get past the webhook."""

    def __init__(self, reply: HttpResponse) -> None:
        super().__init__(reply.status_code)
        self.reply = reply


def refused(status: int, message: str, *, code: int | None = None) -> ErrorReply:
    """Return a refusal as N8N words it; its code is the status, but for what it did not foresee."""
    return ErrorReply(JsonResponse({"code": status if code is None else code, "message": message}, status=status))


def forbidden(message: str) -> ErrorReply:
    """Return what N8N's Webhook node says to whom it does not know: text."""
    return ErrorReply(HttpResponse(message, status=403, content_type="text/plain"))
