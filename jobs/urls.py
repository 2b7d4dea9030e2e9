"""Addresses below `/api/v1/jobs/`."""

from django.urls import path

import accounting.api.converters  # noqa: F401 - it registers any_uuid

from . import views

urlpatterns = [
    path("", views.JobViewSet.as_view({"get": "list"}), name="job-list"),
    path("callback", views.ExecutionCallbackView.as_view(), name="execution-callback"),
    path("<any_uuid:job_id>/", views.JobViewSet.as_view({"get": "retrieve"}), name="job-detail"),
    path("<any_uuid:job_id>/callback", views.CallbackView.as_view(), name="job-callback"),
]
