from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envcheck.errors import PlaceError
from envcheck.plan.indexes import ConfigFile, Sources, pip_files, read_pip, resolve_sources, uv_files

HERE = Path("/home/joe/project")
HOME = Path("/home/joe")


def sources(
    env: dict[str, str] | None = None,
    *,
    pip: str = "",
    shared: dict[str, Any] | None = None,
    project: dict[str, Any] | None = None,
) -> Sources:
    settings = read_pip([ConfigFile(Path("/etc/pip.conf"), pip)] if pip else [], env or {})
    return resolve_sources(env or {}, settings, [shared] if shared else [], project or {}, HERE)


def added(found: Sources, env: dict[str, str] | None = None) -> dict[str, str]:
    """What is said to uv beyond the user's own variables."""
    return {
        name: value
        for name, value in found.env.items()
        if (env or {}).get(name) != value and name != "UV_COMPILE_BYTECODE"
    }


# --- pip's files ---------------------------------------------------------------------------------------------------


def test_pip_files_are_listed_the_weakest_first() -> None:
    assert pip_files({}, HOME, Path("/venv"), "linux") == (
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        HOME / ".pip/pip.conf",
        HOME / ".config/pip/pip.conf",
        Path("/venv/pip.conf"),
    )


def test_a_named_pip_file_replaces_the_users() -> None:
    assert pip_files({"PIP_CONFIG_FILE": "/my.conf"}, HOME, Path("/venv"), "linux") == (
        Path("/my.conf"),
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path("/venv/pip.conf"),
    )


def test_the_null_device_means_no_pip_file_at_all() -> None:
    assert pip_files({"PIP_CONFIG_FILE": "/dev/null"}, HOME, Path("/venv"), "linux") == ()


def test_pip_looks_elsewhere_on_macos() -> None:
    found = pip_files({}, HOME, Path("/venv"), "darwin")

    assert found[0] == Path("/Library/Application Support/pip/pip.conf")
    assert HOME / "Library/Application Support/pip/pip.conf" in found


def test_later_pip_files_sections_and_variables_win() -> None:
    files = [
        ConfigFile(Path("a"), "[global]\nindex-url = global-a\ntimeout = 1\nretries = 1\ncert = a\n"),
        ConfigFile(Path("b"), "[install]\ntimeout = 2\n[global]\nretries = 3\nCERT: b\n[download]\nproxy = no\n"),
    ]

    found = read_pip(files, {"PIP_CERT": "env", "PIP_FIND_LINKS": ""})

    assert found == {"index-url": "global-a", "timeout": "2", "retries": "3", "cert": "env"}


def test_a_percent_sign_in_a_password_is_no_interpolation() -> None:
    assert read_pip([ConfigFile(Path("a"), "[global]\nindex-url = https://u:p%40s@h/\n")], {}) == {
        "index-url": "https://u:p%40s@h/"
    }


def test_a_broken_pip_file_is_an_error_at_its_place() -> None:
    with pytest.raises(PlaceError, match="pip's configuration cannot be read") as caught:
        read_pip([ConfigFile(Path("/etc/pip.conf"), "index-url = x\n")], {})

    assert caught.value.place == "/etc/pip.conf"
    assert "PIP_CONFIG_FILE" in caught.value.remedy


# --- translation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pip", "expected"),
    [
        ("index-url = https://m/simple", {"UV_DEFAULT_INDEX": "https://m/simple"}),
        (
            "extra-index-url =\n  https://a/simple\n  https://b/simple",
            {"UV_INDEX": "https://a/simple https://b/simple", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ("find-links = /wheels more https://w/x", {"UV_FIND_LINKS": f"/wheels,{HERE}/more,https://w/x"}),
        ("trusted-host = a\n  b:80", {"UV_INSECURE_HOST": "a b:80"}),
        ("cert = ca.pem", {"SSL_CERT_FILE": f"{HERE}/ca.pem"}),
        ("client-cert = /c.pem", {"SSL_CLIENT_CERT": "/c.pem"}),
        ("proxy = http://p:3128", {"ALL_PROXY": "http://p:3128"}),
        ("timeout = 60", {"UV_HTTP_TIMEOUT": "60"}),
        ("timeout = 1.5\nretries = many", {"UV_HTTP_TIMEOUT": "1"}),
        ("keyring-provider = subprocess", {"UV_KEYRING_PROVIDER": "subprocess"}),
        ("keyring-provider = auto", {}),
        ("no-index = false", {}),
    ],
    ids=lambda value: value.partition(" =")[0] if isinstance(value, str) else "",
)
def test_a_pip_setting_becomes_uvs_variable(pip: str, expected: dict[str, str]) -> None:
    assert added(sources(pip=f"[global]\n{pip}\n")) == expected


def test_pip_variables_are_translated_too() -> None:
    env = {"PIP_FIND_LINKS": "/a /b", "PIP_INDEX_URL": "https://m/", "PIP_DEFAULT_TIMEOUT": "180"}

    assert added(sources(env), env) == {
        "UV_FIND_LINKS": "/a,/b",
        "UV_DEFAULT_INDEX": "https://m/",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_no_index_has_no_variable_and_goes_into_a_file() -> None:
    found = sources(pip="[global]\nno-index = true\nfind-links = /w\n")

    assert found.config == "no-index = true\n"
    assert "no-index" not in found.env


@pytest.mark.parametrize(
    ("env", "pip"),
    [
        ({"UV_DEFAULT_INDEX": "https://u/"}, "index-url = https://p/"),
        ({"UV_INDEX_URL": "https://u/"}, "index-url = https://p/"),
        ({"UV_EXTRA_INDEX_URL": "https://u/"}, "extra-index-url = https://p/"),
        ({"UV_FIND_LINKS": "/u"}, "find-links = /p"),
        ({"SSL_CERT_FILE": "/u"}, "cert = /p"),
        ({"https_proxy": "http://u"}, "proxy = http://p"),
        ({"UV_REQUEST_TIMEOUT": "1"}, "timeout = 2"),
        ({"UV_INDEX": "https://u/"}, "no-index = true"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_variable_of_uv_wins_over_pip(env: dict[str, str], pip: str) -> None:
    found = sources(env, pip=f"[global]\n{pip}\n")

    assert added(found, env) == {}
    assert found.config == ""


@pytest.mark.parametrize(
    ("table", "pip"),
    [
        ({"index-url": "https://u/"}, "index-url = https://p/"),
        ({"pip": {"index-url": "https://u/"}}, "index-url = https://p/"),
        ({"index": [{"url": "https://u/", "default": True}]}, "index-url = https://p/"),
        ({"index": [{"url": "https://u/"}]}, "extra-index-url = https://p/"),
        ({"find-links": ["/u"]}, "find-links = /p"),
    ],
    ids=["index-url", "pip-table", "default-index", "further-index", "find-links"],
)
def test_what_uv_reads_by_itself_wins_over_pip_and_is_not_repeated(table: dict[str, Any], pip: str) -> None:
    assert added(sources(pip=f"[global]\n{pip}\n", shared=table)) == {}


def test_index_settings_of_a_project_are_lifted_and_nothing_else() -> None:
    table = {
        "index": [
            {"name": "corp", "url": "https://c/simple"},
            {"url": "https://d/simple", "default": True},
            {"name": "torch", "url": "https://t/", "explicit": True},
            "nonsense",
        ],
        "find-links": ["./wheels"],
        "override-dependencies": ["numpy<2"],
        "native-tls": True,
    }

    assert added(sources(project=table)) == {
        "UV_INDEX": "corp=https://c/simple",
        "UV_DEFAULT_INDEX": "https://d/simple",
        "UV_FIND_LINKS": f"{HERE}/wheels",
        "UV_NATIVE_TLS": "true",
    }


def test_the_users_variable_wins_over_the_project() -> None:
    env = {"UV_DEFAULT_INDEX": "https://u/"}

    assert added(sources(env, project={"index-url": "https://p/"}), env) == {}


def test_a_strategy_of_the_user_is_kept() -> None:
    env = {"UV_INDEX_STRATEGY": "first-index"}

    assert added(sources(env, pip="[global]\nextra-index-url = https://a/\n"), env) == {"UV_INDEX": "https://a/"}


def test_certificates_of_other_programs_come_last() -> None:
    env = {"CURL_CA_BUNDLE": "/curl", "REQUESTS_CA_BUNDLE": "/requests"}

    assert added(sources(env), env) == {"SSL_CERT_FILE": "/requests"}
    assert added(sources(env, pip="[global]\ncert = /pip\n"), env) == {"SSL_CERT_FILE": "/pip"}


def test_relative_folders_are_the_users() -> None:
    assert sources({"UV_FIND_LINKS": "wheels,/b"}).env["UV_FIND_LINKS"] == f"{HERE}/wheels,/b"


def test_what_would_change_the_environment_under_test_is_taken_away() -> None:
    env = {
        "PATH": "/bin",
        "VIRTUAL_ENV": "/v",
        "PYTHONPATH": "/p",
        "UV_OVERRIDE": "o.txt",
        "UV_PYTHON": "3.9",
        "UV_NO_BINARY": "1",
        "UV_COMPILE_BYTECODE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": "/c",
        "UV_INDEX_CORP_PASSWORD": "p",
    }

    assert sources(env).env == {
        "PATH": "/bin",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": "/c",
        "UV_INDEX_CORP_PASSWORD": "p",
        "UV_COMPILE_BYTECODE": "0",
    }


# --- the key of the sources ----------------------------------------------------------------------------------------


def test_a_lock_does_not_depend_on_a_password_that_changes_daily() -> None:
    monday = sources({"UV_DEFAULT_INDEX": "https://ci:monday@h/simple", "UV_HTTP_TIMEOUT": "3"})
    tuesday = sources({"UV_DEFAULT_INDEX": "https://ci:tuesday@h/simple"})

    assert monday.key == tuesday.key


@pytest.mark.parametrize(
    "other",
    [
        sources({"UV_DEFAULT_INDEX": "https://other/simple"}),
        sources({"UV_FIND_LINKS": "/w"}),
        sources(shared={"index-url": "https://h/simple"}),
        sources(pip="[global]\nno-index = yes\n"),
        sources({"UV_EXCLUDE_NEWER": "2026-01-01"}),
    ],
    ids=["index", "find-links", "shared-table", "no-index", "cut-off"],
)
def test_a_lock_depends_on_where_packages_come_from(other: Sources) -> None:
    assert other.key != sources({}).key


# --- uv's files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, (HOME / ".config/uv/uv.toml", Path("/etc/xdg/uv/uv.toml"), Path("/etc/uv/uv.toml"))),
        ({"UV_CONFIG_FILE": "/u.toml"}, (Path("/u.toml"),)),
        ({"UV_NO_CONFIG": "1"}, ()),
    ],
    ids=["usual", "named", "none"],
)
def test_files_that_uv_reads_by_itself(env: dict[str, str], expected: tuple[Path, ...]) -> None:
    assert uv_files(env, HOME) == expected
