"""Django's settings, read from the environment; CONTRIBUTING.md lists the variables.

Without any variable everything runs embedded: PostgreSQL, Redis, secrets and mail are kept under DATA, by
default `var/`.
"""

import hmac

from celery.schedules import crontab
from kombu import Queue

from tokenplan.runtime import addresses, away, databases, environment, folders, retention
from tokenplan.runtime.queues import QUEUES
from tokenplan.runtime.secret_store import read_secrets

BASE_DIR = folders.ROOT
DATA = folders.data_folder()
DEBUG = environment.flag("DEBUG")

_secrets = read_secrets(DATA)
SECRET_KEY = _secrets.secret_key
# The HMAC roots of Subscription Keys, by id. The first makes new keys. They are never in the database.
KEY_ROOTS = _secrets.key_roots

# Addresses

# The port above is the local Stripe's, the next one the small gateway's.
PORT = environment.number("PORT", 8000, least=1, most=65_533)
# Where people reach the console, without a slash at the end. Links in mails and in tool guides start with it.
ADDRESS = addresses.console_address(PORT)
BASE_URL = ADDRESS.url
_https = ADDRESS.https
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", [ADDRESS.host, "localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [BASE_URL]
# Base URLs that people's tools call, one a protocol. Guides hide what needs one that is empty.
GATEWAY_ANTHROPIC_URL, GATEWAY_OPENAI_URL = addresses.gateway_addresses()
ROOT_URLCONF = "tokenplan.urls"
WSGI_APPLICATION = "tokenplan.wsgi.application"

# Applications

INSTALLED_APPS = [
    "teams",
    "quota",
    "billing",
    "tokenplan",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "tokenplan.middleware.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tokenplan.middleware.CompressedPages",
    "tokenplan.middleware.BodyLimit",
    "tokenplan.middleware.ReplicaReads",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # After the session and before whatever makes a text. It chooses among LANGUAGES.
    "tokenplan.languages.VisitorsLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tokenplan.languages.OwnLanguage",
    "tokenplan.middleware.LocalTimes",
    "tokenplan.middleware.SeenSessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            # Every template has texts, so `{% translate %}` and its kin need no `{% load %}`.
            "builtins": ["django.templatetags.i18n"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# Web server. Each process answers pages in so many threads, gateways in so many others, so that neither
# waits for the other, and sends long answers, such as CSV, in so many more.
WEB_THREADS = environment.number("WEB_THREADS", 8, least=1)
GATEWAY_THREADS = environment.number("GATEWAY_THREADS", 8, least=1)
WEB_STREAMS = 2

# Database

EMBEDDED_DATABASE = not environment.text("DATABASE_URL")
DATABASES = databases.databases(data=DATA, threads=WEB_THREADS + GATEWAY_THREADS + WEB_STREAMS)
# Where there is a replica, pages read it while it is less than so many seconds behind.
DATABASE_ROUTERS = ["tokenplan.kit.replica.Router"] if "replica" in DATABASES else []
DATABASE_REPLICA_SECONDS = environment.number("DATABASE_REPLICA_SECONDS", 10, least=1, most=3600)
# What `manage.py migrate` connects to, where that is another one.
DIRECT_DATABASE = databases.direct_database()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Mails with invitations in 24 hours: of a Team with a seat; of one, and of a person, without.
INVITATIONS_PER_DAY = environment.number("INVITATIONS_PER_DAY", 5_000, least=1)
INVITATIONS_PER_DAY_WITHOUT_SEATS = environment.number("INVITATIONS_PER_DAY_WITHOUT_SEATS", 50, least=1)

# Shared by all processes; holds rate limits of sign-in. In the database, so that sign-in needs nothing else.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "tokenplan_cache"}
}

# Celery. A lost message only delays: periodic tasks sweep up what waits in the database.

REDIS_URL = addresses.broker_url()
CELERY_BROKER_URL = REDIS_URL or f"redis+socket://{folders.redis_socket(DATA)}?virtual_host=0"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request that enqueues a task must not hang when the broker is gone.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5, "max_retries": 0}
CELERY_TASK_PUBLISH_RETRY = False
# A queue for each task, so that it can be seen whether one waits already. Which worker reads which of them:
# tokenplan/runtime/queues.py. A worker that is told of none reads them all.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in QUEUES]
CELERY_TASK_ROUTES = {name: {"queue": name} for name in QUEUES}
# What a worker has taken out of its queue it works at once; the rest stays where it can be seen.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA / "celerybeat-schedule")
# Seconds between runs. Each task is a sweep: it is safe to run twice, or a week late.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    name: {"task": name, "schedule": seconds}
    for name, seconds in {
        "teams.deliver_mail": 30,
        "quota.send_notices": 60,
        "quota.watch_reconcile": 60,
        "quota.expire_reservations": 60,
        "quota.expire_lots": 60,
        "quota.close_windows": 300,
        "quota.roll_up_usage": 60,
        "quota.forget_refusals": 3600,
        "quota.keep_partitions": 3600,
        "quota.work_bulk_actions": 60,
        "billing.work_inbox": 30,
        "billing.top_up": 60,
        "billing.finish": 120,
    }.items()
}
# At night in UTC and off the hour, after the day's windows have ended.
for _task, _minute in {"quota.reconcile": 17, "billing.reconcile": 47}.items():
    CELERY_BEAT_SCHEDULE[_task] = {"task": _task, "schedule": crontab(hour=3, minute=_minute)}

# People

AUTH_USER_MODEL = "teams.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "tokenplan.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
# The password once: who mistypes it chooses another by mail.
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
# Whoever confirms the address in the browser that signed up goes on where they were going, e.g. to a plan.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if _https else "http"
# Seconds for which a recent proof is good (teams/proof.py).
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
# Changes of addresses and password are told to the addresses that the account has had.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_FORMS = {
    "login": "tokenplan.account_forms.LoginForm",
    "signup": "tokenplan.account_forms.SignupForm",
    "reset_password": "tokenplan.account_forms.ResetPasswordForm",
    "reset_password_from_key": "tokenplan.account_forms.ResetPasswordKeyForm",
    "change_password": "tokenplan.account_forms.ChangePasswordForm",
    "add_email": "tokenplan.account_forms.AddEmailForm",
}
# Passkeys, authenticator apps, and recovery codes for whoever has lost theirs (docs/decisions/0029, 0069).
MFA_ADAPTER = "tokenplan.passkeys.PasskeyAdapter"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# The device asks for a finger, a face or a PIN: a key that is left plugged in proves nothing.
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}  # each sign-in asks twice
# A code of the moment before is taken too: typing takes time, and clocks differ.
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "activate_totp": "teams.totp_forms.AddAppForm",
    "authenticate": "teams.totp_forms.SecondFactorCodeForm",
    "add_webauthn": "teams.passkey_forms.AddPasskeyForm",
    "authenticate_webauthn": "teams.passkey_forms.SecondFactorForm",
    "edit_webauthn": "teams.passkey_forms.RenamePasskeyForm",
    "login_webauthn": "teams.passkey_forms.SignInForm",
    "reauthenticate": "teams.totp_forms.ProofCodeForm",
    "reauthenticate_webauthn": "teams.passkey_forms.ProofForm",
}
# How many proxies in front of the server append to X-Forwarded-For; 0 believes the connection alone.
BEHIND_TLS_PROXY = environment.flag("BEHIND_TLS_PROXY")
ALLAUTH_TRUSTED_PROXY_COUNT = away.proxies(ADDRESS, behind_tls_proxy=BEHIND_TLS_PROXY)

# Quota

# How long an authorized call may hold what it may cost, unless settled or released before.
RESERVATION_LIFETIME_SECONDS = environment.number("RESERVATION_LIFETIME_SECONDS", 900, least=1)
# So many whole months are kept beside the present one; 0 keeps all. Usage may be reported for 60 days.
RETENTION_MONTHS = environment.number("RETENTION_MONTHS", 0, least=3, most=1200, or_zero=True)
LEDGER_RETENTION_MONTHS = retention.ledger_months(months_of_calls=RETENTION_MONTHS)

# Mail

EMAIL_URL = environment.text("EMAIL_URL")
EMAIL_FILE_PATH = DATA / "mail"
if EMAIL_URL:
    globals().update(environment.email_settings(EMAIL_URL))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    folders.private_folder(EMAIL_FILE_PATH)
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "Token Plan <noreply@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Payments

# Without a key of Stripe's, `manage.py up` starts a local Stripe, one port above the console.
STRIPE_SECRET_KEY = environment.secret("STRIPE_SECRET_KEY", "sk_", "rk_")
# Whether `manage.py up` makes people to try everything with.
DEMO = away.demo(ADDRESS, has_key=bool(STRIPE_SECRET_KEY), has_database=not EMBEDDED_DATABASE)
# The gateway that `manage.py up` serves beside the console, so that keys answer on a laptop; or none.
SMALL_GATEWAY = away.small_gateway(ADDRESS, has_demo=DEMO)
LOCAL_STRIPE = away.local_stripe(ADDRESS, has_key=bool(STRIPE_SECRET_KEY))
if LOCAL_STRIPE:
    STRIPE_SECRET_KEY = "sk_test_local"  # noqa: S105  # the local one lets in any that looks like one
    STRIPE_API_BASE = f"http://127.0.0.1:{PORT + 1}"
    STRIPE_PAGES = [STRIPE_API_BASE]  # those that our forms lead to
    STRIPE_WEBHOOK_SECRET = "whsec_" + hmac.digest(SECRET_KEY.encode(), b"local stripe", "sha256").hex()
else:
    STRIPE_API_BASE = ""
    STRIPE_PAGES = ["https://checkout.stripe.com", "https://billing.stripe.com", "https://invoice.stripe.com"]
    STRIPE_WEBHOOK_SECRET = environment.secret("STRIPE_WEBHOOK_SECRET", "whsec_")
# Stripe Tax: prices are without tax, and Stripe adds what is due.
STRIPE_TAX = environment.flag("STRIPE_TAX")
# Customers are made on this test clock, so that their time can be moved.
STRIPE_TEST_CLOCK = environment.secret("STRIPE_TEST_CLOCK", "clock_")

# Browser security

SESSION_ENGINE = "tokenplan.kit.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
X_FRAME_OPTIONS = "DENY"
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Bytes. The largest honest body, 1,000 usage events, is a tenth of it.
DATA_UPLOAD_MAX_MEMORY_SIZE = environment.number("REQUEST_BODY_BYTES", 2_621_440, least=65_536)
# A body that takes longer to arrive is refused. Until it is here, it takes no thread.
REQUEST_BODY_SECONDS = environment.number("REQUEST_BODY_SECONDS", 20, least=1)
# A Team may have 1,000 seats, and all of them may be named in one form.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# Language and time

LANGUAGE_CODE = "en"
# Only languages that everything is translated into: what a library has in others would stand between ours.
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]  # each by its own name, so that its readers find it
# What a visitor has chosen; whoever is signed in has it with the account.
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = _https
# How moments and numbers look in each.
FORMAT_MODULE_PATH = "tokenplan.formats"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Static files. The front-end packages come from node_modules, and only the folders that pages use:
# Tabler is the console's style sheet; Chart.js draws usage and Credits, the two pages whose pictures answer
# questions (docs/decisions/0068).

STATIC_URL = "/static/"
# Where they are gathered: by `manage.py up`, or by `manage.py collectstatic` where this is set. In tests, and
# where Django is started by hand, each is served from its own folder.
STATIC_ROOT = environment.text("STATIC_ROOT") or None
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/tabler/css", BASE_DIR / "node_modules/@tabler/core/dist/css"),
    ("vendor/chart.js", BASE_DIR / "node_modules/chart.js/dist"),
]
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
if STATIC_ROOT:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "tokenplan.static_files.Gathered"},
    }

# API

REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "tokenplan.kit.problems.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "teams.api.authentication.AccessTokenAuthentication",
        "teams.api.authentication.BrowserSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tokenplan.kit.parsers.BoundedJSONParser"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Token Plan API",
    "DESCRIPTION": "For API gateways, holders of Subscription Keys, and people with their scripts.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "teams.models.Role",
        "InvitedRoleEnum": "teams.api.serializers.INVITED_ROLES",
        "IntervalEnum": "billing.models.Interval",
        "ChangeKindEnum": "billing.selectors.change_requests.KINDS",
        "CheckoutKindEnum": "billing.models.Checkout.Kind",
        "PurchaseKindEnum": "billing.models.CreditPurchase.Kind",
        "PurchaseStateEnum": "billing.models.CreditPurchase.State",
        "LedgerKindEnum": "quota.models.CreditLedgerEntry.Kind",
        "HoldStateEnum": "quota.api.gateway.settle.STATES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tokenplan.kit.openapi.add_problems",
    ],
}

# Log: one line an event, on stderr. The formatter hides whatever looks like a key.
LOG_LEVEL = environment.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "tokenplan.log.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # A refusal is an answer, not an incident, and a gateway may get thousands.
        "django.request": {"handlers": [], "level": "ERROR", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "stripe": {"level": "WARNING"},  # at INFO it logs each request, and a page makes several
        "fido2": {"level": "WARNING"},  # at INFO it logs each passkey's id
        "httpx": {"level": "WARNING"},  # at INFO it logs each request, and `manage.py replay` makes many
    },
}
