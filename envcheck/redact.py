"""Text and environments without their secrets: everything that is recorded passes through here.

A secret is the user and password of a URL, the value of a variable whose name says so, and a token whose own form
says so. What is hidden reads `***`. Too much hidden is a nuisance, too little is an incident, so doubts are hidden.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HIDDEN = "***"
"""What stands in the place of a secret."""

_USER_INFO = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/?#'\"<>]+)@")
_QUERY = re.compile(
    r"(?i)(?P<name>[?&;](?:[a-z0-9_.-]*(?:token|secret|password|passwd|signature|credential|api_?key)[a-z0-9_.-]*"
    r"|sig|key|auth))=(?P<value>[^\s&;#'\"<>]+)"
)
_HEADER = re.compile(
    r"(?i)(?P<name>\b(?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic|token)?\s*)[^\s'\"]+"
)
_BEARER = re.compile(r"(?i)(?P<name>\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_TOKEN_FORMS = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}|pypi-[A-Za-z0-9_-]{16,}"
    r"|hf_[A-Za-z0-9]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"
)

_WORDS_ANYWHERE = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "COOKIE")
_WORDS_ALONE = frozenset({"KEY", "KEYS", "AUTH", "PASS", "PAT", "JWT", "PWD", "CREDS", "SAS", "NETRC"})
_WORKING_FOLDERS = frozenset({"PWD", "OLDPWD"})
_SHORTEST_SECRET = 4
_SHORTEST_NUMBER = 6
_SWITCHES = frozenset({"true", "false", "none", "null", "auto", "never", "always", "disabled", "enabled"})


def is_secret_name(name: str) -> bool:
    """True if a variable of this name is likely to hold a secret: `PYPI_TOKEN`, `AWS_SECRET_ACCESS_KEY`, `DB_PASS`."""
    upper = name.upper()
    if upper in _WORKING_FOLDERS:
        return False
    return any(word in upper for word in _WORDS_ANYWHERE) or not _WORDS_ALONE.isdisjoint(re.split(r"[^A-Z0-9]+", upper))


def redact(text: str, env: Mapping[str, str]) -> str:
    """`text` without the secrets of `env` and without anything that has the form of one.

    The user part of a URL is hidden whole: index tokens are often written as the user name. Applying it twice
    changes nothing.
    """
    text = _USER_INFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<name>={HIDDEN}", text)
    text = _HEADER.sub(rf"\g<name>{HIDDEN}", text)
    text = _BEARER.sub(rf"\g<name>{HIDDEN}", text)
    text = _TOKEN_FORMS.sub(HIDDEN, text)
    for secret in sorted(set(_secrets(env)), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _secrets(env: Mapping[str, str]) -> Iterator[str]:
    """Every string of `env` that must not be seen, as typed and percent-decoded."""
    for name, value in env.items():
        found = [value.strip()] if is_secret_name(name) else list(_passwords(value))
        for secret in found:
            for form in (secret, unquote(secret)):
                if not _is_common(form):
                    yield form


def _is_common(value: str) -> bool:
    """True for what would garble a text if it were replaced everywhere: switches, small numbers, very short words."""
    return len(value) < (_SHORTEST_NUMBER if value.isdigit() else _SHORTEST_SECRET) or value.lower() in _SWITCHES


def _passwords(value: str) -> Iterator[str]:
    for match in _USER_INFO.finditer(value):
        user, colon, password = match["user"].partition(":")
        yield password if colon else user
