"""Addresses below `/api/v1/receipts/`."""

from django.urls import path

from .views import ReceiptViewSet

urlpatterns = [
    path("", ReceiptViewSet.as_view({"post": "upload"}), name="receipt-list"),
    path("upload", ReceiptViewSet.as_view({"post": "upload"}), name="receipt-upload"),
    path("<uuid:pk>/", ReceiptViewSet.as_view({"get": "retrieve"}), name="receipt-detail"),
    path("<uuid:pk>/file", ReceiptViewSet.as_view({"get": "file"}), name="receipt-file"),
    path("<uuid:pk>/rendition", ReceiptViewSet.as_view({"get": "rendition"}), name="receipt-rendition"),
]
