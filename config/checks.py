"""System checks: settings that contradict each other, or what this service promises.

An Error stops every command; a Warning is said at each start. Ids are stable and listed in docs/operations.md.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - the name Django gives it

from config.standalone.layout import MADE_UP_ORIGIN, is_demonstration

ORIGIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._~-]+)*")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
MIN_SECRET = 32
MIN_TOKEN = 20

Apps = Sequence[AppConfig] | None


@register()
def no_debug(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.DEBUG:
        return []
    text = "DEBUG is on: its error pages show local variables, and those hold what models saw of people."
    return [Error(text, hint="Leave DEBUG off. Logs and problem documents say what is needed.", id="answerable.E001")]


@register()
def base_url_is_an_address(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    url = urlsplit(settings.BASE_URL)
    if url.scheme in {"http", "https"} and url.hostname and not url.path.strip("/") and not url.query:
        return []
    text = "ANSWERABLE_BASE_URL is not the address of a site."
    return [
        Error(text, hint="Scheme, host and, where needed, port: https://answerable.example.org", id="answerable.E002")
    ]


@register()
def base_url_is_encrypted(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    url = urlsplit(settings.BASE_URL)
    if url.scheme != "http" or url.hostname in LOOPBACK or not url.hostname:
        return []
    text = "ANSWERABLE_BASE_URL is plain http beyond this machine: sessions, keys and decisions travel unprotected."
    hint = "Put a proxy with TLS in front and set an https address; cookies then become Secure by themselves."
    return [Warning(text, hint=hint, id="answerable.W001")]


@register()
def origin_names_a_place(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if ORIGIN.fullmatch(settings.ORIGIN):
        return []
    text = "ANSWERABLE_ORIGIN cannot start the origin of a log."
    hint = "A name without scheme, spaces or '+', such as log.example.org/answerable. Logs keep it for good."
    return [Error(text, hint=hint, id="answerable.E003")]


@register()
def origin_is_chosen(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    host = urlsplit(settings.BASE_URL).hostname
    if host in LOOPBACK or not MADE_UP_ORIGIN.fullmatch(settings.ORIGIN):
        return []
    text = "People reach this site from elsewhere, but ANSWERABLE_ORIGIN is one that was made up at the first start."
    hint = (
        "Set ANSWERABLE_ORIGIN before the first start: an installation keeps the name it was born with, and every proof"
        " names it. One that holds records already stays as it is; its proofs are as good, their name only says less."
    )
    return [Warning(text, hint=hint, id="answerable.W002")]


@register()
def database_is_postgresql(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    others = [name for name, each in settings.DATABASES.items() if each["ENGINE"] != "django.db.backends.postgresql"]
    text = "The database {!r} is not PostgreSQL, the only one this service can seal in."
    hint = "ANSWERABLE_DATABASE_URL=postgresql://app@host/answerable"
    return [Error(text.format(name), hint=hint, id="answerable.E004") for name in others]


@register()
def keeper_is_another_role(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    keeper = settings.DATABASES.get("keeper")
    if keeper is None or keeper["USER"] != settings.DATABASE_APP_ROLE:
        return []
    text = "The service writes as the role that owns its tables: it could edit the record it promises not to."
    hint = "Give ANSWERABLE_DATABASE_URL a role that owns nothing; ANSWERABLE_ADMIN_DATABASE_URL the owner."
    return [Error(text, hint=hint, id="answerable.E005")]


@register()
def head_store_is_apart(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not Path(settings.HEAD_STORE).is_relative_to(Path(settings.DATA_DIR) / "pg"):
        return []
    text = "ANSWERABLE_HEAD_STORE lies inside the database's folder: who restores the one restores the other."
    hint = "Keep it apart, best on another volume: it is there to notice a database that was turned back."
    return [Error(text, hint=hint, id="answerable.E006")]


@register()
def secrets_are_long(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if len(settings.SECRET_KEY) < MIN_SECRET:
        text = f"ANSWERABLE_SECRET_KEY has fewer than {MIN_SECRET} characters."
        found.append(Error(text, hint="Leave it out: one is made and kept in the data folder.", id="answerable.E007"))
    if settings.DIGEST_KEY and len(settings.DIGEST_KEY) < MIN_SECRET:
        text = f"ANSWERABLE_DIGEST_KEY has fewer than {MIN_SECRET} characters."
        found.append(Error(text, hint="Leave it out: one is made and kept in the data folder.", id="answerable.E011"))
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < MIN_TOKEN:
        text = f"ANSWERABLE_METRICS_TOKEN has fewer than {MIN_TOKEN} characters."
        found.append(
            Error(text, hint="Any long random text; without one only this machine may ask.", id="answerable.E008")
        )
    return found


@register()
def cookies_match_the_address(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    encrypted = urlsplit(settings.BASE_URL).scheme == "https"
    if encrypted == settings.SESSION_COOKIE_SECURE and encrypted == settings.CSRF_COOKIE_SECURE:
        return []
    text = "Secure cookies and the scheme of ANSWERABLE_BASE_URL contradict each other."
    hint = "They follow ANSWERABLE_BASE_URL by themselves; do not set them apart."
    return [Error(text, hint=hint, id="answerable.E009")]


@register()
def demonstration_is_one(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.DEMO or is_demonstration(Path(settings.DATA_DIR)):
        return []
    text = "ANSWERABLE_DEMO is on, but this is no demonstration: its people could do harm without a second factor."
    return [Error(text, hint="Leave it out. `make demo` sets it for a folder of its own.", id="answerable.E013")]


@register()
def policy_is_strict(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """A later convenience (an analytics script, an inline handler) must not open the policy unnoticed."""
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    if list(directives["script-src"]) == ["'self'"] and list(directives["object-src"]) == ["'none'"]:
        return []
    text = "The content security policy lets pages run scripts that are not this service's own files."
    return [Error(text, hint="script-src is 'self' and object-src is 'none'.", id="answerable.E010")]


@register()
def provider_is_whole(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    issuer = urlsplit(settings.OIDC_ISSUER)
    if not settings.OIDC_ISSUER:
        return []
    if not settings.OIDC_CLIENT_ID:
        text = "ANSWERABLE_OIDC_ISSUER names a provider, but not as whom this service asks it."
        return [Error(text, hint="Set ANSWERABLE_OIDC_CLIENT_ID, and its secret.", id="answerable.E014")]
    if issuer.scheme != "https" and issuer.hostname not in LOOPBACK:
        text = "ANSWERABLE_OIDC_ISSUER is not https: whoever sits in between could sign in as anybody."
        return [Error(text, hint="A provider is asked over TLS.", id="answerable.E015")]
    return []
