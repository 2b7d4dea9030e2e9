"""How often who may come."""

from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from limits import parse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounting.monitoring.process_metrics import THROTTLED
from accounting.throttling import TooOften, count

from .models import ApiKey

if TYPE_CHECKING:  # DRF imports this module while it makes the class
    from rest_framework.views import APIView

_parsed = lru_cache(parse)


class UploadThrottle(BaseThrottle):
    """Bounds the uploads of one API key by `UPLOAD_RATE`, repeated and refused ones included."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the upload, which is within the rate.

        Raises:
            TooOften: it is not; DRF would say so in words of its own.
        """
        rate, key = settings.UPLOAD_RATE, request.auth
        seconds = count(_parsed(rate), "upload", key.prefix) if rate and isinstance(key, ApiKey) else 0
        if seconds:
            THROTTLED.labels("upload").inc()
            raise TooOften(seconds, "Too many uploads came under this API key.")
        return True
