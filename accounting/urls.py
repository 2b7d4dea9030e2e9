"""Addresses: the API under `/api/v1/`, the admin, health, metrics."""

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from . import error_views, health
from .middleware import NO_SUCH_ADDRESS
from .monitoring.metrics import MetricsView

# its own style sheet draws its arrows and locks from data: addresses
swagger_ui = csp_update({"img-src": "data:"})(SpectacularSwaggerSplitView.as_view())

admin.autodiscover()

api: list[URLPattern | URLResolver] = [
    path("receipts/", include("receipts.urls")),
    path("jobs/", include("jobs.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", swagger_ui, name="docs"),
]

urlpatterns = [
    path("api/v1/", include(api)),
    re_path(r"^api(?:/|$)", error_views.no_such_address, name=NO_SUCH_ADDRESS),
    path("health", health.alive, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
]

handler400 = error_views.bad_request
handler403 = error_views.permission_denied
handler404 = error_views.page_not_found
handler500 = error_views.server_error
