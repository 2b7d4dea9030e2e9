"""Addresses below `/api/v1/receipts/`."""

from django.urls import path

import accounting.api.converters  # noqa: F401 - it registers any_uuid

from .views import ReceiptViewSet

urlpatterns = [
    path("", ReceiptViewSet.as_view({"post": "create"}), name="receipt-list"),
    path("upload", ReceiptViewSet.as_view({"post": "upload"}), name="receipt-upload"),
    path("<any_uuid:pk>/", ReceiptViewSet.as_view({"get": "retrieve"}), name="receipt-detail"),
    path("<any_uuid:pk>/file", ReceiptViewSet.as_view({"get": "file"}), name="receipt-file"),
    path("<any_uuid:pk>/rendition", ReceiptViewSet.as_view({"get": "rendition"}), name="receipt-rendition"),
]
