"""Sessions of staff: they outlive the replacement of `SECRET_KEY`, and end in time, and with the right to come in."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user, get_user_model
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.models import Session
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject


class SessionStore(DatabaseSessions):
    """Django's own, but for sessions whose end is set: their cookies, too, end with the browser."""

    def get_expire_at_browser_close(self) -> bool:
        """Tell that it does, which Django denies once there is an end."""
        return True


@receiver(user_logged_in)
def set_end(request: HttpRequest, **_: object) -> None:
    """Let the log-in's time decide when the session ends: Django would put that off whenever one is saved."""
    request.session.set_expiry(timedelta(seconds=settings.SESSION_COOKIE_AGE))


class LastingAuthenticationMiddleware(AuthenticationMiddleware):
    """Django's own, but for sessions that a fallback of `SECRET_KEY` has signed: these keep their id.

    Django gives them another one. Whatever else the browser has asked for under the old id, as a page's pictures, is
    answered as if nobody were logged in, and takes the new cookie away. While some processes have the one key and some
    the other, each change between them would do so.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Let whoever looks at `request.user` find out who it is."""
        super().process_request(request)
        if settings.SECRET_KEY_FALLBACKS:
            request.user = SimpleLazyObject(lambda: _user_of(request))  # type: ignore[assignment] # as Django has it


def end_sessions(user: User) -> None:
    """End all sessions of somebody who may not come in any more: one that rests would go on once he may again."""
    for session in Session.objects.iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()


def _user_of(request: HttpRequest) -> object:
    _sign_anew(request)
    return get_user(request)


def _sign_anew(request: HttpRequest) -> None:
    """Let the present key sign a session that a fallback has signed, so that it outlives the fallback."""
    signed: str = request.session.get(HASH_SESSION_KEY, "")
    user = get_user_model().objects.filter(pk=request.session[SESSION_KEY]).first() if signed else None
    if user and any(constant_time_compare(signed, former) for former in user.get_session_auth_fallback_hash()):
        request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
