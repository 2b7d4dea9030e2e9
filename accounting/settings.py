"""Settings, read from the environment in the order of `.env.example`, which explains each key."""

from pathlib import Path
from urllib.parse import quote

from csp.constants import NONE, SELF

from .environment import Environment
from .environment.addresses import host_of
from .environment.buckets import bucket_storage
from .environment.databases import kept_connections
from .memory import load_requests_without_guessing
from .redis.sentinels import rq_connection

load_requests_without_guessing()  # before anything else loads it

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(BASE_DIR / ".env")

# -- the service ------------------------------------------------------------------------------------------------------

SECRET_KEY = env.secret("SECRET_KEY", purpose="a long random secret that signs sessions and callback tokens")
SECRET_KEY_FALLBACKS = env.secrets("SECRET_KEY_FALLBACKS", [])
AUDIT_KEY = env.secrets("AUDIT_KEY", [])
DEBUG = env.flag("DEBUG", False)
PUBLIC_BASE_URL = env.origin(
    "PUBLIC_BASE_URL", cure="set it to the address at which clients and staff reach this service"
)
CALLBACK_BASE_URL = env.base_url("CALLBACK_BASE_URL", PUBLIC_BASE_URL)
OWN_HOSTS = sorted({host_of(url) for url in (PUBLIC_BASE_URL, CALLBACK_BASE_URL)})
ALLOWED_HOSTS = sorted({*OWN_HOSTS, *env.hosts("ALLOWED_HOSTS", OWN_HOSTS)})  # or each callback would be refused
CSRF_TRUSTED_ORIGINS = env.form_origins("CSRF_TRUSTED_ORIGINS", [PUBLIC_BASE_URL])
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES", [])
WEB_THREADS = env.number("WEB_THREADS", 8, minimum=5, maximum=1000)  # beside slow readers one is left for all else
PICTURE_THREADS = WEB_THREADS // 2  # of these

# -- database, Redis, files -------------------------------------------------------------------------------------------

DATABASES = {
    "default": kept_connections(
        env.database("DATABASE_URL", f"sqlite:///{quote(str(BASE_DIR))}/var/db.sqlite3"), BASE_DIR
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis("REDIS_URL", "redis://127.0.0.1:6379/0")
MEDIA_ROOT = str(BASE_DIR / env.folder("MEDIA_ROOT", "var/media"))
S3_BUCKET = env.bucket("S3_BUCKET")
S3_REGION = env.region("S3_REGION", "us-east-1")
S3_ENDPOINT_URL = env.base_url("S3_ENDPOINT_URL", f"https://s3.{S3_REGION}.amazonaws.com")
S3_ACCESS_KEY_ID = env.text("S3_ACCESS_KEY_ID", "")
S3_SECRET_ACCESS_KEY = env.text("S3_SECRET_ACCESS_KEY", "")
S3_ADDRESSING = env.choice(
    "S3_ADDRESSING", "virtual" if S3_ENDPOINT_URL.endswith(".amazonaws.com") else "path", ("path", "virtual")
)
S3_CA_FILE = env.authority("S3_CA_FILE")
IN_A_BUCKET = bucket_storage(
    S3_BUCKET,
    endpoint=S3_ENDPOINT_URL,
    region=S3_REGION,
    key=S3_ACCESS_KEY_ID,
    secret=S3_SECRET_ACCESS_KEY,
    addressing=S3_ADDRESSING,
    ca_file=S3_CA_FILE,
)
STORAGES = {
    "default": IN_A_BUCKET or {"BACKEND": "receipts.storage.PrivateFileStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# -- N8N --------------------------------------------------------------------------------------------------------------

N8N_WEBHOOK_URL = env.url("N8N_WEBHOOK_URL", cure="set it to the production URL that N8N's Webhook node shows")
N8N_API_KEY = env.secret("N8N_API_KEY", purpose="the secret that the Webhook node's header authentication expects")
N8N_WEBHOOK_SECRET = env.secrets("N8N_WEBHOOK_SECRET", [])
N8N_VERIFY_SSL = env.text("N8N_VERIFY_SSL", "true")
N8N_DEADLINE_SECONDS = env.number("N8N_DEADLINE_SECONDS", 60, maximum=3600)
N8N_PREPARATION_SECONDS = env.number("N8N_PREPARATION_SECONDS", 20, maximum=3600)
N8N_PAYLOAD = env.choice("N8N_PAYLOAD", "json", ("json", "multipart"))
# what N8N takes unless told otherwise: its N8N_PAYLOAD_SIZE_MAX, its N8N_FORMDATA_FILE_SIZE_MAX
N8N_MAX_PAYLOAD_MB = env.number("N8N_MAX_PAYLOAD_MB", {"json": 16, "multipart": 200}[N8N_PAYLOAD], maximum=2000)
N8N_MAX_IN_FLIGHT = env.number("N8N_MAX_IN_FLIGHT", 100)
N8N_BASE_URL = env.base_url("N8N_BASE_URL", "")
N8N_PUBLIC_API_KEY = env.key_made_elsewhere("N8N_PUBLIC_API_KEY", where="in N8N under Settings, n8n API")
CALLBACK_SECRET_TOKEN = env.secrets(
    "CALLBACK_SECRET_TOKEN", purpose="one secret, or several with commas, that N8N may send as X-Callback-Token"
)
CALLBACK_TIMEOUT_SECONDS = env.number("CALLBACK_TIMEOUT_SECONDS", 900)
DELIVERY_RETRY_SCHEDULE = env.numbers(
    "DELIVERY_RETRY_SCHEDULE", [5, 30, 120, 300, 900, 1800, 3600, 7200, 10800, 14400, 21600, 28800]
)
CANARY_INTERVAL_SECONDS = env.number("CANARY_INTERVAL_SECONDS", 0, minimum=0)
# What is to be sent is made ready, and then sent, before the lease ends; and the lease ends before RQ's own time-out.
# Half of the preparation is what else there is to do: to read the disk, and to write down what came of it.
N8N_LEASE_SECONDS = N8N_DEADLINE_SECONDS + N8N_PREPARATION_SECONDS * 3 // 2
RQ_TIMEOUT_SECONDS = N8N_LEASE_SECONDS + N8N_PREPARATION_SECONDS * 3 // 2

# -- uploads ----------------------------------------------------------------------------------------------------------

UPLOAD_MAX_MB = env.number("UPLOAD_MAX_MB", 10, maximum=2000)
UPLOAD_MAX_BYTES = UPLOAD_MAX_MB * 1024 * 1024
UPLOAD_MAX_MEGAPIXELS = env.number("UPLOAD_MAX_MEGAPIXELS", 50)
UPLOAD_FORMATS = env.names("UPLOAD_FORMATS", ["jpeg", "png", "webp", "heic", "pdf"])
UPLOAD_RATE = env.rate("UPLOAD_RATE", "600/minute")
RETENTION_DAYS = env.number("RETENTION_DAYS", 0, minimum=0, maximum=36_500)

# -- logs and metrics -------------------------------------------------------------------------------------------------

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env.choice("LOG_FORMAT", "json", ("json", "console"))
METRICS_TOKEN = env.secrets("METRICS_TOKEN", [])
SENTRY_DSN = env.dsn("SENTRY_DSN")

# -- Django -----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "accounting.apps.AccountingConfig",
    "receipts",
    "jobs",
    "accounting.apps.OperationsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_filters",
    "django_rq",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "rest_framework_api_key",
]
MIDDLEWARE = [
    "accounting.middleware.RequestLogMiddleware",
    "accounting.middleware.AnyHostForHealthMiddleware",
    "accounting.middleware.IsolationMiddleware",
    "accounting.middleware.PrivateApiMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounting.middleware.ForgivingSlashMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounting.sessions.LastingAuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "accounting.urls"
DEFAULT_EXCEPTION_REPORTER_FILTER = "accounting.error_views.AddressesHidden"
WSGI_APPLICATION = "accounting.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # admin's own few files: nothing to collect, nothing to forget
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "accounting.formats"  # a DATETIME_FORMAT here would yield to Django's own for the language
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# -- what keeps browsers, and the admin's door, safe ------------------------------------------------------------------

HTTPS = PUBLIC_BASE_URL.startswith("https://")
SECURE_SSL_REDIRECT = HTTPS
# N8N turns a redirected POST into an empty GET, and takes any answer for a success; a proxy may leave its path there
SECURE_REDIRECT_EXEMPT = [r"(^|/)api/", r"^health", r"^metrics"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0  # for this host only: whoever runs it may not own the domain
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # asks to bind every subdomain to https, for a year
    "security.W021",  # asks to have browsers ship that
]
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "accounting.forms.uploaded_files.NamelessFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FILES = 10

# "__Host-" lets a browser take the cookie from this very host over https only (RFC 6265bis). Django makes them Lax, as
# they should be: a link to a job in a mail or a chat opens it. A session ends with the browser, and a working day after
# the log-in at the latest.
COOKIE_PREFIX = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_ENGINE = "accounting.sessions"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_AGE = None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "accounting.messages.MessageStorage"

# Only files of ours: no inline script or style, on no page (docs/decisions/0017).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

LOGIN_REDIRECT_URL = "admin:index"  # where the log-in does not believe the address that it is to lead to
AUTHENTICATION_BACKENDS = ["accounting.lockout.LockoutBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_HANDLER = "accounting.lockout.CountingHandler"
AXES_CLIENT_IP_CALLABLE = "accounting.callers.network_of"
AXES_LOCKOUT_CALLABLE = "accounting.lockout.answer_locked"
AXES_ENABLE_ADMIN = False  # accounting.admin.attempts shows its table, to superusers
AXES_DISABLE_ACCESS_LOG = True  # no list of who came when, and from where
AXES_VERBOSE = False

# -- Django REST framework --------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["receipts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["receipts.permissions.IsClient"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "accounting.api.openapi_headers.Schema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "accounting.api.negotiation.IgnoreAccept",
    "ALLOWED_VERSIONS": ["1"],  # what the OpenAPI document may be asked for by `?version=`, which names its file
    "EXCEPTION_HANDLER": "accounting.problems.answer_exception",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Receipt automation",
    "DESCRIPTION": "Upload receipts, follow the job that files each of them, and report its outcome back.",
    "VERSION": "1",
    "LICENSE": {"name": "MIT"},
    "TAGS": [
        {"name": "receipts", "description": "Upload receipts, and have them back."},
        {"name": "jobs", "description": "Ask what became of receipts."},
        {"name": "callbacks", "description": "For N8N: report what became of a receipt."},
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",  # the first name after it is an operation's tag, unless it has another one
    "DEFAULT_GENERATOR_CLASS": "accounting.api.openapi.DrawnOnce",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "jobs.serializers.STATUSES",
        "Outcome": "jobs.serializers.OUTCOMES",
    },
    "PATH_CONVERTER_OVERRIDES": {"any_uuid": {"type": "string", "format": "uuid"}},
    "SWAGGER_UI_DIST": "SIDECAR",  # its scripts come from this server, not from elsewhere
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# -- RQ ---------------------------------------------------------------------------------------------------------------

RQ_QUEUES = {
    "default": {
        **rq_connection(REDIS_URL),
        "DEFAULT_TIMEOUT": RQ_TIMEOUT_SECONDS,
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
}
RQ = {"WORKER_CLASS": "jobs.worker.DeliveryWorker", "COMMIT_MODE": "auto"}
RQ_SHOW_ADMIN_LINK = False  # jobs.admin shows its pages to those with the permission only

LOGGING_CONFIG = "accounting.logging.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT, "sentry": SENTRY_DSN}

MISSPELT = env.misspelt()  # when all others were asked for
