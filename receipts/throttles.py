"""How often who may come."""

from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from limits import parse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounting.monitoring.process_metrics import THROTTLED
from accounting.throttling import count

from .models import ApiKey

if TYPE_CHECKING:  # DRF imports this module while it makes the class
    from rest_framework.views import APIView

_parsed = lru_cache(parse)


class UploadThrottle(BaseThrottle):
    """Bounds the uploads of one API key by `UPLOAD_RATE`, repeated and refused ones included."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the upload; tell whether it is within the rate."""
        rate, key = settings.UPLOAD_RATE, request.auth
        self._seconds = count(_parsed(rate), "upload", key.prefix) if rate and isinstance(key, ApiKey) else 0
        if self._seconds:
            THROTTLED.labels("upload").inc()
        return self._seconds == 0

    def wait(self) -> int:
        """Return after how many seconds one will be taken."""
        return self._seconds
