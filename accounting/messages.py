"""What staff are told on the next page, in a cookie that is bound to this host as all others are."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class BoundCookieStorage(CookieStorage):
    """Django's own, whose name no setting changes."""

    cookie_name = f"{settings.COOKIE_PREFIX}messages"


class MessageStorage(FallbackStorage):
    """Django's own: what is too long for the cookie goes into the session."""

    storage_classes = (BoundCookieStorage, SessionStorage)
