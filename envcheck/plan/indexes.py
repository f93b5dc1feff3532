"""Where packages come from: the user's settings for uv and for pip, as variables for uv.

uv reads its own variables and its user and system configuration itself. What it would not see here is translated: the
project's uv configuration (uv works in a folder of ours, so that a project's overrides cannot change what is tested),
and pip's variables and configuration files, which uv never reads. A uv setting wins over pip's.

setting          pip                             uv
index            index-url                       UV_DEFAULT_INDEX
further indexes  extra-index-url                 UV_INDEX, and UV_INDEX_STRATEGY=unsafe-best-match: pip's own rule
files            find-links, no-index            UV_FIND_LINKS, no-index in uv.toml
certificates     cert, REQUESTS_CA_BUNDLE,       SSL_CERT_FILE
                 CURL_CA_BUNDLE; client-cert     SSL_CLIENT_CERT
network          trusted-host, proxy, timeout,   UV_INSECURE_HOST, ALL_PROXY, UV_HTTP_TIMEOUT,
                 retries, keyring-provider       UV_HTTP_RETRIES, UV_KEYRING_PROVIDER
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envcheck.errors import PlaceError
from envcheck.plan import digest
from envcheck.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PIP_SECTIONS = ("global", "install")
"""Sections of pip's configuration that `pip install` reads; the later one wins."""

_KEPT = re.compile(
    r"UV_(?:(?:DEFAULT_|EXTRA_)?INDEX|FIND_LINKS|KEYRING|INSECURE|NATIVE_TLS|SYSTEM_CERTS|HTTP_|REQUEST_|CONCURRENT_"
    r"|OFFLINE|CACHE_DIR|NO_CACHE|LINK_MODE|LOCK_TIMEOUT|EXCLUDE_NEWER|PYTHON_|MANAGED_PYTHON|NO_MANAGED_PYTHON"
    r"|CONFIG_FILE|NO_CONFIG|CREDENTIALS|S3_|GCS_|AZURE_|GITHUB_)"
)
_DROPPED = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE"})
_DECISIVE = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX_STRATEGY",
             "UV_EXCLUDE_NEWER")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file that exists: where it lies and what it says."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where packages come from, as uv is to be told: its whole environment, and a uv.toml for what has no variable.

    `key` identifies the sources a lock depends on, without users and passwords, which may change daily.
    """

    env: Mapping[str, str]
    config: str
    key: str


def pip_files(env: Mapping[str, str], home: Path, prefix: Path, platform: str) -> tuple[Path, ...]:
    """Every place where pip looks for its configuration, the weakest first.

    As in pip's documentation of configuration: PIP_CONFIG_FILE is the weakest, and where it exists the user's files
    are not read; os.devnull there means no file at all.
    """
    named = env.get("PIP_CONFIG_FILE", "")
    if named == "/dev/null":
        return ()
    support = Path("Library/Application Support/pip/pip.conf")
    shared = [Path(folder) / "pip/pip.conf" for folder in env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]
    shared = [Path("/") / support] if platform == "darwin" else [*shared, Path("/etc/pip.conf")]
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    own = [home / ".pip/pip.conf", config, *([home / support] if platform == "darwin" else [])]
    first = [Path(named)] if named else []
    return (*first, *shared, *([] if named else own), prefix / "pip.conf")


def read_pip(files: Iterable[ConfigFile], env: Mapping[str, str]) -> dict[str, str]:
    """pip's settings by option name ("index-url"): later files win, `[install]` wins over `[global]`, PIP_* over all.

    Raises PlaceError for a file that is no configuration file, as pip would.
    """
    found: dict[str, dict[str, str]] = {section: {} for section in PIP_SECTIONS}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(file.text)
        except configparser.Error as error:
            remedy = "Mend it, or set PIP_CONFIG_FILE=/dev/null."
            message = f"pip's configuration cannot be read: {' '.join(str(error).split())}"
            raise PlaceError(str(file.path), message, remedy=remedy) from None
        for section in PIP_SECTIONS:
            if parser.has_section(section):
                found[section] |= {_option(name): value for name, value in parser.items(section)}
    variables = {_option(name[4:]): value for name, value in env.items() if name.startswith("PIP_") and value}
    return {**found["global"], **found["install"], **variables}


def _option(name: str) -> str:
    return name.lower().replace("_", "-").lstrip("-")


def uv_files(env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """The configuration that uv reads by itself from wherever it runs: named, or the user's and the system's."""
    if env.get("UV_NO_CONFIG"):
        return ()
    if named := env.get("UV_CONFIG_FILE"):
        return (Path(named),)
    shared = env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    own = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml"
    return (own, *(Path(folder) / "uv/uv.toml" for folder in shared if folder), Path("/etc/uv/uv.toml"))


def resolve_sources(
    env: Mapping[str, str],
    pip: Mapping[str, str],
    shared: Iterable[Mapping[str, Any]],
    project: Mapping[str, Any],
    folder: Path,
) -> Sources:
    """Every source of a setting met once: variables, then the project's uv table, then uv's shared ones, then pip's.

    `shared` are the tables uv will read by itself; `project` is the table it will not, whose paths are relative to
    `folder`, as those of variables are.
    """
    base = {name: value for name, value in env.items() if name not in _DROPPED and _is_kept(name)}
    base |= {name: _absolute(base[name], folder, ",") for name in ("UV_FIND_LINKS", "UV_CONFIG_FILE") if name in base}
    of_uv = {**_settings_of(project, folder), **{name: value for name, value in base.items() if value}}
    taken = set(of_uv) | {name for table in shared for name in _settings_of(table, folder)}
    of_pip = {name: value for name, value in _pip_settings(pip, env, folder) if not _ALIASES.get(name, {name}) & taken}
    if "UV_INDEX" in of_pip and "UV_INDEX_STRATEGY" not in taken:
        of_pip["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    chosen = {**of_pip, **of_uv}
    closed = chosen.pop(_NO_INDEX, "") == "true"
    config = "no-index = true\n" if closed else ""
    decisive = {name: redact(chosen[name], {}) for name in _DECISIVE if name in chosen}
    tables = [{name: redact(value, {}) for name, value in _settings_of(table, folder).items()} for table in shared]
    return Sources({**chosen, "UV_COMPILE_BYTECODE": "0"}, config, digest([decisive, tables, config]))


_NO_INDEX = "no-index"
_DEFAULT = {"UV_DEFAULT_INDEX", "UV_INDEX_URL"}
_FURTHER = {"UV_INDEX", "UV_EXTRA_INDEX_URL"}
_ALIASES = {
    "UV_DEFAULT_INDEX": _DEFAULT,
    "UV_INDEX": _FURTHER,
    "UV_HTTP_TIMEOUT": {"UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT"},
    "ALL_PROXY": {"ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"},
    _NO_INDEX: {_NO_INDEX, *_DEFAULT, *_FURTHER},
}
"""Variables that say the same: where one is set, the other is not added."""


def _is_kept(name: str) -> bool:
    """uv's variables that say where packages and interpreters come from; others would change what is tested."""
    return not name.startswith("UV_") or _KEPT.match(name) is not None


def _settings_of(table: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The settings of a uv table (uv.toml, or tool.uv) that say where packages come from, as variables."""
    of_pip = table.get("pip")
    merged = {**table, **(of_pip if isinstance(of_pip, dict) else {})}
    found = {
        "UV_DEFAULT_INDEX": merged.get("index-url", ""),
        "UV_INDEX": _list(merged.get("extra-index-url"), " "),
        "UV_FIND_LINKS": _absolute(_list(merged.get("find-links"), ","), folder, ","),
        "UV_INDEX_STRATEGY": merged.get("index-strategy", ""),
        "UV_KEYRING_PROVIDER": merged.get("keyring-provider", ""),
        "UV_INSECURE_HOST": _list(merged.get("allow-insecure-host"), " "),
        "UV_NATIVE_TLS": "true" if merged.get("native-tls") else "",
        "UV_SYSTEM_CERTS": "true" if merged.get("system-certs") else "",
        _NO_INDEX: "true" if merged.get("no-index") else "",
    }
    for index in (entry for entry in merged.get("index") or () if isinstance(entry, dict)):
        named = "=".join(str(index[key]) for key in ("name", "url") if index.get(key))
        if index.get("default"):
            found["UV_DEFAULT_INDEX"] = named
        elif not index.get("explicit"):
            found["UV_INDEX"] = f"{found['UV_INDEX']} {named}".strip()
    return {name: value for name, value in found.items() if value}


def _pip_settings(pip: Mapping[str, str], env: Mapping[str, str], folder: Path) -> Iterator[tuple[str, str]]:
    certificates = pip.get("cert") or env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE") or ""
    pairs = (
        ("UV_DEFAULT_INDEX", pip.get("index-url", "").strip()),
        ("UV_INDEX", " ".join(pip.get("extra-index-url", "").split())),
        ("UV_FIND_LINKS", _absolute(",".join(pip.get("find-links", "").split()), folder, ",")),
        ("UV_INSECURE_HOST", " ".join(pip.get("trusted-host", "").split())),
        ("UV_KEYRING_PROVIDER", "subprocess" if pip.get("keyring-provider", "").strip() == "subprocess" else ""),
        ("UV_HTTP_TIMEOUT", _whole(pip.get("timeout") or pip.get("default-timeout", ""))),
        ("UV_HTTP_RETRIES", _whole(pip.get("retries", ""))),
        ("SSL_CERT_FILE", _absolute(certificates, folder, "")),
        ("SSL_CLIENT_CERT", _absolute(pip.get("client-cert", ""), folder, "")),
        ("ALL_PROXY", pip.get("proxy", "").strip()),
        (_NO_INDEX, "true" if pip.get("no-index", "").strip().lower() in {"1", "true", "yes", "on", "y", "t"} else ""),
    )
    return ((name, value) for name, value in pairs if value)


def _list(value: Any, separator: str) -> str:
    return separator.join([value] if isinstance(value, str) else [str(item) for item in value or ()])


def _whole(value: str) -> str:
    return value.strip().partition(".")[0] if re.fullmatch(r"\s*\d+(\.\d*)?\s*", value) else ""


def _absolute(value: str, folder: Path, separator: str) -> str:
    """Local paths made absolute: uv works in another folder than the user."""
    parts = value.split(separator) if separator else [value]
    return separator.join(
        str(folder / Path(part).expanduser()) if part and "://" not in part else part for part in parts
    )
