"""Every setting of the installation, read once, strictly, from the environment.

No setting is needed for the embedded mode; `docs/running.md` lists them."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from changecontrol.addresses import database
from changecontrol.env import (
    BadSetting,
    env_bool,
    env_int,
    env_key_ids,
    env_list,
    env_networks,
    env_str,
    kept_secret,
)
from changecontrol.mail import mail_way, sender

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env_str("VAR_DIR", str(BASE_DIR / "var"))).resolve()
TESTING = "pytest" in sys.modules

DEBUG = env_bool("DEBUG", default=False)
SECRET_KEY = "only-for-tests" if TESTING else kept_secret("SECRET_KEY", VAR_DIR / "keys" / "secret_key")
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS")  # earlier ones: sessions and enrolled authenticator apps go on working
PUBLIC_URL = env_str("PUBLIC_URL", "http://localhost:8000").rstrip("/")
ORGANISATION = env_str("ORGANISATION", "Your organisation")
ALLOWED_HOSTS = [
    *env_list("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]"),
    urlsplit(PUBLIC_URL).hostname or "",
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "apps.accounts",  # before Django's own: its commands would write persons past the audit stream
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "apps.core",
    "apps.audit",
    "apps.catalog",
    "apps.changes",
    "apps.schedule",
    "apps.approvals",
    "apps.gate",
    "apps.deployments",
    "apps.incidents",
    "apps.notifications",
    "apps.home",
]

MIDDLEWARE = [
    "apps.gate.middleware.gate_first",  # the gate answers before sessions, CSRF and sign-in are looked at
    "apps.core.middleware.bounded_body",  # before anybody reads, and so stores, what was sent
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "apps.core.middleware.nothing_hidden",  # inside what tells the length
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.middleware.sign_in_first",
    "apps.accounts.middleware.reader_zone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.core.middleware.never_cache_signed_in",
    "apps.core.middleware.refusal_page",
    "apps.core.middleware.page_of_wrong_method",
]

ROOT_URLCONF = "changecontrol.urls"
WSGI_APPLICATION = "changecontrol.wsgi.application"
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
                "apps.home.context.shell",
                "apps.accounts.context.ways_in",
            ],
            "builtins": ["apps.core.templatetags.face", "django.templatetags.static"],
        },
    }
]


def address(name: str) -> str:
    """Return the address NAME, else the one the supervisor of the embedded mode wrote down."""
    kept = VAR_DIR / "run" / name
    return env_str(name) or (kept.read_text().strip() if kept.is_file() and not TESTING else "")


# The web process knows the app role only. Migrations and sealing name their own address.
DATABASES = {"default": database(address("DATABASE_URL") or "dbname=changecontrol")}
for alias, name in (("owner", "DATABASE_OWNER_URL"), ("sealer", "DATABASE_SEALER_URL")):
    if env_str(name):
        DATABASES[alias] = database(env_str(name))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "apps.accounts.passwords.MaximumLength"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home:home"
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
MFA_ADAPTER = "apps.accounts.adapter.FactorsAdapter"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_FORMS = {
    "authenticate": "apps.accounts.sign_in_forms.Code",
    "reauthenticate": "apps.accounts.sign_in_forms.CodeAgain",
    "authenticate_webauthn": "apps.accounts.sign_in_forms.Passkey",
    "reauthenticate_webauthn": "apps.accounts.sign_in_forms.PasskeyAgain",
    "login_webauthn": "apps.accounts.sign_in_forms.PasskeyAlone",
}
# Where issuers of CI tokens may lie beside the public internet, and how often one asker asks the gate (per second and process).
ISSUER_NETWORKS = env_networks("ISSUER_NETWORKS")
GATE_RATE, GATE_UNKNOWN_RATE = (
    0 if TESTING else env_int(name, default) for name, default in (("GATE_RATE", 50), ("GATE_UNKNOWN_RATE", 20))
)
if min(GATE_RATE, GATE_UNKNOWN_RATE) < 0:
    raise BadSetting("GATE_RATE and GATE_UNKNOWN_RATE are whole numbers; 0 is no limit.")
GATE_KEEP_MONTHS = env_int("GATE_KEEP_MONTHS", 12)  # whole months of answers that nobody drops; PCI DSS 10.5.1 asks for twelve
if GATE_KEEP_MONTHS < 1:
    raise BadSetting("GATE_KEEP_MONTHS is a whole number, 1 at least: what was answered this month is still needed.")
OIDC_ISSUER = env_str("OIDC_ISSUER").rstrip("/")
OIDC_CLIENT_ID, OIDC_CLIENT_SECRET = env_str("OIDC_CLIENT_ID"), env_str("OIDC_CLIENT_SECRET")
OIDC_NAME = env_str("OIDC_NAME", "single sign-on")
if 0 < sum(map(bool, (OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET))) < 3:
    raise BadSetting("OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET come together or not at all.")
ALLAUTH_TRUSTED_PROXY_COUNT = env_int("TRUSTED_PROXY_COUNT", 0)
MAIL = mail_way(VAR_DIR / "mail")
EMAIL_BACKEND, EMAIL_FILE_PATH = MAIL.backend, MAIL.folder
EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.host, MAIL.port, MAIL.user, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL.use_starttls, MAIL.use_tls
EMAIL_TIMEOUT = 8  # seconds that one answer of the mail server may take
DEFAULT_FROM_EMAIL = sender(env_str("DEFAULT_FROM_EMAIL", "changecontrol@localhost"))

CACHES = {"default": {"BACKEND": "apps.accounts.counting.SharedCache"}}  # attempts are counted over all processes
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("BEHIND_TLS_PROXY", default=False) else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.PersonalToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "apps.core.problems.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Change Control",
    "DESCRIPTION": "May this version go to this environment now?",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {  # names that several shapes share
        "ChangeKind": "apps.changes.states.Kind",
        "ChangeState": "apps.changes.states.State",
        "LegState": "apps.changes.states.LegState",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.problems.name_problems",
        "apps.gate.schema.add_gate",
        "apps.deployments.schema.add_deployments",
    ],
}

CELERY_BROKER_URL = address("REDIS_URL") or "redis://localhost:6379/0"
EVIDENCE_MEGABYTES = env_int("EVIDENCE_MEGABYTES", 16)  # the largest file that may be shown as evidence
if not 1 <= EVIDENCE_MEGABYTES <= 100:
    raise BadSetting("EVIDENCE_MEGABYTES is a whole number from 1 to 100.")
FILES_DIR = Path(env_str("FILES_DIR")).resolve() if env_str("FILES_DIR") else None  # evidence lies there instead of in the database
REPOSITORY_PATHS = env_list("REPOSITORY_PATHS", "/")  # directories below which services' repositories are read
REPOSITORY_PROTOCOLS = env_list("REPOSITORY_PROTOCOLS", "https,ssh")  # by which repositories elsewhere are fetched
GIT_CONFIG_FILE = env_str("GIT_CONFIG_PATH")  # the operator's git configuration for fetching: credential helper, ssh command
SIGNING_KEY_FILE = Path(env_str("SIGNING_KEY_FILE") or VAR_DIR / "keys" / "signing.pem")
ACCEPTED_KEYS = env_key_ids("ACCEPTED_KEYS")  # ids of earlier signing keys whose signatures still count

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"sparing": {"()": "apps.core.logs.SparingOfRefusals"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django.request": {"filters": ["sparing"]}},
    "root": {"handlers": ["stderr"], "level": env_str("LOG_LEVEL", "INFO")},
}

if DEBUG and not PUBLIC_URL.startswith(("http://127.", "http://localhost")):
    raise BadSetting("DEBUG shows secrets in error pages. Leave it off where PUBLIC_URL is not this machine.")
