"""Settings: from the environment only, secure by default, loud on bad values.

Every variable starts with ANSWERABLE_; a secret may be given as `<NAME>_FILE`, the path of a file that holds it.
docs/operations.md lists them. Contradictions are system checks (config/checks.py).
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from environs import FileAwareEnv, validate

from config import days, logs, outgoing, stored
from config.standalone import layout

BASE_DIR = Path(__file__).resolve().parent.parent
env = FileAwareEnv(prefix="ANSWERABLE_", eager=False)

DEBUG = False  # never: a page with local variables on it would show payloads

# --- where things are ------------------------------------------------------------------------------------------------
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / ".data"))).absolute()
if DATA_DIR.resolve() == layout.PROGRAM:  # before anything is written there
    raise ImproperlyConfigured(layout.AMONG_THE_SOURCES)
PORT = env.int("PORT", layout.port(DATA_DIR), validate=validate.Range(1, 65535))
ORIGIN = env.str("ORIGIN", None) or layout.origin(DATA_DIR)
"""Scheme-less name that starts every log's origin. A log keeps the one it was born with."""
BASE_URL = env.str("BASE_URL", f"http://localhost:{PORT}")
CONTROL_PORT = env.int("CONTROL_PORT", layout.control_port(DATA_DIR, PORT), validate=validate.Range(1, 65535))
CONTROL_URL = (env.str("CONTROL_URL", None) or layout.control_url(BASE_URL, PORT, CONTROL_PORT)).rstrip("/")
"""Where clients reach the control process: streams and long polls. Behind a proxy that routes their paths, the site."""
HEAD_STORE = Path(env.str("HEAD_STORE", str(DATA_DIR / "heads.sqlite3")))
STATIC_DIR = Path(env.str("STATIC_DIR", str(DATA_DIR / "static")))
"""Where collectstatic puts the files that the browser fetches."""
SIGNING_KEY_FILE = Path(env.str("SIGNING_KEY_FILE", str(DATA_DIR / "signing.key")))

# --- database --------------------------------------------------------------------------------------------------------
# `default` is the role `app`. `keeper` owns the tables and exists only where migrations and partitions are made.
DATABASE_URL = env.str("DATABASE_URL", None)
ADMIN_DATABASE_URL = env.str("ADMIN_DATABASE_URL", None)
BACKUP_DATABASE_URL = env.str("BACKUP_DATABASE_URL", None)
"""For `manage.py backup` alone: a role that may read everything. Unless given, the owner's."""
BACKUP_DAYS = env.int("BACKUP_DAYS", 0, validate=validate.Range(0))
"""For how many days backups are kept: `manage.py backup` removes older ones; receipts of erasures say until when one
may hold something. 0: nobody stated it, and none is removed."""
SESSION_LIMITS = (
    "-c synchronous_commit=on -c lock_timeout=5s -c statement_timeout=60s -c idle_in_transaction_session_timeout=30s"
)


def database(url: str) -> dict[str, Any]:
    import dj_database_url

    parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    parsed.setdefault("OPTIONS", {})
    parsed["OPTIONS"] |= {
        "options": SESSION_LIMITS,
        "tcp_user_timeout": 10_000,
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "application_name": env.str("PROCESS", "manage"),
    }
    # one connection a thread and process, checked before its first use in a request
    return parsed | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": False}


DATABASES = {"default": database(DATABASE_URL or layout.database_url(DATA_DIR, role="app"))}
if ADMIN_DATABASE_URL:
    DATABASES["keeper"] = database(ADMIN_DATABASE_URL)
DATABASE_APP_ROLE = DATABASES["default"]["USER"]
ATOMIC_REQUESTS = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PROCESS = env.str("PROCESS", "manage")
"""Which of the service's processes this is."""

# --- broker ----------------------------------------------------------------------------------------------------------
BROKER_URL = env.str("BROKER_URL", None) or layout.broker_url(DATA_DIR)

# --- secrets ---------------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY", None) or layout.secret_key(DATA_DIR)
"""Django's: sessions, forms, cursors. May be replaced at any time; everybody signs in again, lists begin anew."""
DIGEST_KEY = env.str("DIGEST_KEY", None)
"""For what is known by a keyed hash alone (intake/digests.py); a file in the data folder unless given. For good."""

# --- manners ---------------------------------------------------------------------------------------------------------
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", [])
TRUST_PROXY = env.bool("TRUST_PROXY", False)
"""Whether the proxy in front sets X-Forwarded-Proto and keeps what clients send of it. Without one, anybody could."""
LOG_LEVEL = env.str("LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]))
LOG_FORMAT = env.str("LOG_FORMAT", logs.usual_form(), validate=validate.OneOf(["json", "console"]))
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
RATE_LIMIT_DECISIONS = env.int("RATE_LIMIT_DECISIONS", 0, validate=validate.Range(0))
"""Decisions a second, key and process; 0 is no limit (back-pressure holds either way)."""
RATE_LIMIT_REQUESTS = env.int("RATE_LIMIT_REQUESTS", 200, validate=validate.Range(0))
"""Other API requests a second, key and process; bursts of ten seconds' worth are let through."""
QUARANTINE_RECORDS_PER_KEY = env.int("QUARANTINE_RECORDS_PER_KEY", 10_000, validate=validate.Range(1))
"""Refused records kept for one key; what arrives beyond that is counted, not kept."""
QUARANTINE_BYTES_PER_KEY = env.int("QUARANTINE_BYTES_PER_KEY", 1 << 30, validate=validate.Range(1))
"""Bytes of refused records kept for one key, likewise."""
SOURCE_SILENCE_SECONDS = env.int("SOURCE_SILENCE_SECONDS", 900, validate=validate.Range(60))
"""A source that sends heartbeats and is not heard from for this long raises an alert."""
QUARANTINE_DAYS = env.int("QUARANTINE_DAYS", 90, validate=validate.Range(30))
"""Refused records older than this are erased, whatever became of them."""
PURGE_NOTICE_DAYS = env.int("PURGE_NOTICE_DAYS", 14, validate=validate.Range(1, 90))
"""So many days before a purge those are told who may stop it."""
WRITTEN_ZONE = env.str("TIME_ZONE", "UTC", validate=days.is_zone)
"""In which days are written down: in entries, letters and deadlines. Pages show moments in their viewer's zone."""
DEMO = env.bool("DEMO", False)
"""Set by `make demo` alone: its made-up people (at example.org) are not made to have a second factor."""

# --- signing in with the organisation's own provider (OpenID Connect) -----------------------------------------------
OIDC_ISSUER = env.str("OIDC_ISSUER", "")
"""The provider, as its discovery document names itself; without one people sign in here alone."""
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", "")
OIDC_NAME = env.str("OIDC_NAME", "single sign-on")
"""What people call the provider; the button says it."""
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", "groups")
OIDC_GROUPS: list[str] = env.list("OIDC_GROUPS", [])
"""Groups whose members may sign in without having been registered before. None: registered people alone."""
OIDC_VIEWER_GROUPS: list[str] = env.list("OIDC_VIEWER_GROUPS", [])
"""Of those, groups whose members are offered the role viewer as they are registered. No group gives more."""
OIDC_TWO_FACTORS: list[str] = env.list("OIDC_TWO_FACTORS", [])
"""Values of `amr` or `acr` by which the provider says that it asked for two factors. None: it counts as one."""
OIDC_CA_FILE = env.str("OIDC_CA_FILE", "")
"""Certificates that the provider's is checked against, in the place of the system's."""

# --- what is told to the outside -------------------------------------------------------------------------------------
WEBHOOK_NETWORKS: list[str] = env.list("WEBHOOK_NETWORKS", [], validate=outgoing.are_networks)
"""Networks of the operator's own that webhooks may go to though they are not public, and in plain http."""
WEBHOOK_PORTS: list[int] = env.list("WEBHOOK_PORTS", [443], subcast=int)
WEBHOOK_PROXY = env.str("WEBHOOK_PROXY", "", validate=outgoing.is_proxy)
"""An egress proxy (http://host:port) that all webhooks go through. It resolves names, and its rules decide."""
WEBHOOK_CA_FILE = env.str("WEBHOOK_CA_FILE", "")
"""Certificates that receivers' are checked against, in the place of the system's."""
EMAIL_URL = env.str("EMAIL_URL", "", validate=outgoing.is_mail_server)
EMAIL_FROM = env.str("EMAIL_FROM", "")
ALERT_ESCALATION_HOURS = env.int("ALERT_ESCALATION_HOURS", 4, validate=validate.Range(1))
"""An alert that nobody has acknowledged for this long is told to deputies and administrators as well."""

# --- what is anchored outside (docs/witnessing.md) -------------------------------------------------------------------
WITNESS_POLICY_FILE = env.str("WITNESS_POLICY_FILE", "")
"""A trust policy (C2SP tlog-policy): its witnesses that have an address are sent checkpoints."""
WITNESS_SECONDS = env.int("WITNESS_SECONDS", 300, validate=validate.Range(30))
"""How often a log that grew is sent to witnesses: with time-stamps, what is exposed to a rewrite at most."""
WITNESS_LOOK_SECONDS = env.int("WITNESS_LOOK_SECONDS", 300, validate=validate.Range(30))
"""How often it is looked up what witnesses hold, whether the log grew or not."""
TIMESTAMP_AUTHORITIES_FILE = env.str("TIMESTAMP_AUTHORITIES_FILE", "")
"""RFC 3161 authorities, a line each: `authority <name> <url> <file of certificates>`."""
TIMESTAMP_SECONDS = env.int("TIMESTAMP_SECONDS", 3600, validate=validate.Range(60))
"""How often a log that grew is time-stamped."""
EXPOSURE_ALERT_MINUTES = env.int("EXPOSURE_ALERT_MINUTES", 180, validate=validate.Range(1))
"""Entries that no witness and no authority has seen for this long raise an alert."""
ANCHOR_NETWORKS: list[str] = env.list("ANCHOR_NETWORKS", [], validate=outgoing.are_networks)
"""Networks that are not public in which witnesses and authorities may be, such as this machine: 127.0.0.0/8."""
ANCHOR_PROXY = env.str("ANCHOR_PROXY", "", validate=outgoing.is_proxy)
"""An egress proxy (http://host:port) to witnesses and authorities."""
ANCHOR_CA_FILE = env.str("ANCHOR_CA_FILE", "")
"""Certificates that those of witnesses and authorities (of their TLS) are checked against."""

# --- exports ---------------------------------------------------------------------------------------------------------
EXPORT_STORAGE = env.str("EXPORT_STORAGE", "", validate=stored.is_storage)
"""Where finished exports are kept: `s3://bucket/prefix?endpoint=...`; unless given, a folder in the data folder."""
EXPORT_S3_ACCESS_KEY = env.str("EXPORT_S3_ACCESS_KEY", "")
EXPORT_S3_SECRET_KEY = env.str("EXPORT_S3_SECRET_KEY", "").strip()  # a file that holds it may end with a line end
"""Empty: as the AWS tools find them (environment, profile, instance role)."""
EXPORT_WORK_DIR = Path(env.str("EXPORT_WORK_DIR", str(DATA_DIR / "exports" / "work")))
"""Where files are made before they are kept: on this host, with room for the largest one."""
EXPORT_DAYS = env.int("EXPORT_DAYS", 14, validate=validate.Range(1, 366))
"""So long the file of an export is kept."""
EXPORTS_AT_ONCE = env.int("EXPORTS_AT_ONCE", 1, validate=validate.Range(1, 16))
"""So many exports are made at the same time, whichever worker makes them."""

env.seal()

# --- applications ----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "config.apps.GroundConfig",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.simple_history",
    "config.apps.AnswerableAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "ledger",
    "governance",
    "notices",
    "audit",
    "overrides",
    "intake",
    "monitoring",
    "evidence",
    "console",
]
AUTH_USER_MODEL = "governance.Person"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["config.formats"]
SIMPLE_HISTORY_REVERT_DISABLED = True
SIMPLE_HISTORY_DATE_INDEX = False

MIDDLEWARE = [
    "config.middleware.RequestMiddleware",
    "config.middleware.SecurityHeadersMiddleware",
    "config.middleware.RefusalMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.ProgramLaneMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "governance.places.PlaceMiddleware",
    "governance.sign_in.gate.EnrolmentGate",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "console.zones.ViewerZoneMiddleware",
]
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
            ],
        },
    }
]
LOGGING = logs.logging_config(level=LOG_LEVEL, form=LOG_FORMAT)
LOGGING_CONFIG = "config.logs.configure"

# --- the site's address and what hangs on it -------------------------------------------------------------------------
_address = urlsplit(BASE_URL)
_encrypted = _address.scheme == "https"
_loopback = ["localhost", "127.0.0.1", "[::1]"]  # health checks and metrics ask from inside
ALLOWED_HOSTS = [*ALLOWED_HOSTS, _address.hostname or "localhost", *_loopback]
CSRF_TRUSTED_ORIGINS = [f"{_address.scheme}://{_address.netloc}"]
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if _encrypted else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _encrypted
# the __Host- prefix makes browsers refuse such a cookie from a sibling domain
SESSION_COOKIE_NAME = "__Host-session" if _encrypted else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _encrypted else "csrf"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # Strict would drop the session on the way back from sign-on
SESSION_COOKIE_AGE = 12 * 3600
SESSION_ENGINE = "governance.sessions"  # in the database: ending one ends it everywhere
CSRF_FAILURE_VIEW = "config.error_pages.csrf_failure"
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # attributes only: the theme's widgets set widths and positions there; style elements stay refused
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- e-mail ----------------------------------------------------------------------------------------------------------
_mail = outgoing.mail_server(EMAIL_URL or (DATA_DIR / "mail").as_uri())
EMAIL_BACKEND = _mail.backend
EMAIL_FILE_PATH = _mail.folder
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.starttls, _mail.tls
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = EMAIL_FROM or f"Answerable <answerable@{_address.hostname or 'localhost'}>"

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "email", "staff_number")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SECOND_FACTOR_FORCED = not DEMO
"""Whether people in roles that could do harm must sign in with a second factor (governance/enrolment.py)."""

# --- files -----------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = STATIC_DIR
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "exports": stored.storage(
        EXPORT_STORAGE, folder=DATA_DIR / "exports" / "files", keys=(EXPORT_S3_ACCESS_KEY, EXPORT_S3_SECRET_KEY)
    ),
    "staticfiles": {"BACKEND": "config.static_files.StaticFiles"},
}
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["map", "png", "jpg", "jpeg", "gif", "webp", "zip", "gz", "br", "woff", "woff2"]
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()  # a fresh clone: straight from the folders
# Intake reads its own bodies up to its own limits; this is for forms and the rest of the API.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000  # the form of a system card whose tables are full

# --- API -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "governance.api.authentication.PersonAuthentication",
        "governance.api.authentication.KeyAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["config.media.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.media.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.pagination.KeysetPagination",
    "DEFAULT_THROTTLE_CLASSES": ["config.rate_limits.KeyThrottle"],
    "DEFAULT_SCHEMA_CLASS": "config.openapi.ProblemSchema",
    "EXCEPTION_HANDLER": "config.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Answerable",
    "DESCRIPTION": "Every AI decision sealed, owned, overridable and provable.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v[0-9]+",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "intake.description.add_decision_endpoints",
    ],
}

# --- the web admin's look (colours and components: static/answerable/admin.css) --------------------------------------
UNFOLD = {
    "SITE_TITLE": "Answerable",
    "SITE_HEADER": "Answerable",
    "SITE_SUBHEADER": "AI governance and audit trail",
    "SITE_URL": None,
    "SITE_ICON": {
        "light": lambda request: static("answerable/mark.svg"),
        "dark": lambda request: static("answerable/mark-dark.svg"),
    },
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("answerable/mark.svg")},
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("answerable/admin.css")],
    "SCRIPTS": [lambda request: static("answerable/shell.js")],
    "ACCOUNT": {
        "navigation": [
            {"title": "Your sign-in", "link": reverse_lazy("admin:your_sign_in")},
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
        ]
    },
    "SIDEBAR": {"navigation": "console.navigation.sidebar"},
}
