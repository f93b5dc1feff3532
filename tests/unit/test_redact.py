from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.redact import HIDDEN, is_secret_name, redact


@pytest.mark.parametrize(
    "name",
    [
        "PYPI_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "DB_PASS",
        "PGPASSWORD",
        "UV_INDEX_CORP_PASSWORD",
        "SSH_AUTH_SOCK",
        "github_pat",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "MYSQL_PWD",
        "OPENAI_APIKEY",
    ],
)
def test_a_name_that_says_secret_is_one(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["PATH", "EGL_PLATFORM", "DISPLAY", "PWD", "OLDPWD", "UV_KEYRING_PROVIDER", "MONKEYS", "XAUTHORITY"]
)
def test_an_ordinary_name_is_no_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET https://joe:hunter22@host/simple failed", f"GET https://{HIDDEN}@host/simple failed"),
        ("https://tok-en@host/simple", f"https://{HIDDEN}@host/simple"),
        ("corp=https://u:p%40ss@h/ https://v:w@i/", f"corp=https://{HIDDEN}@h/ https://{HIDDEN}@i/"),
        ("https://h/x?X-Amz-Signature=abc123&part=1", f"https://h/x?X-Amz-Signature={HIDDEN}&part=1"),
        ("https://h/x?sig=abc123#frag", f"https://h/x?sig={HIDDEN}#frag"),
        ("Authorization: Basic dXNlcjpwdw==", f"Authorization: Basic {HIDDEN}"),
        ("sent Bearer abcdefgh12345678", f"sent Bearer {HIDDEN}"),
        ("ghp_0123456789abcdefABCD was refused", f"{HIDDEN} was refused"),
    ],
    ids=[
        "user and password",
        "token as user",
        "two URLs",
        "signed URL",
        "short name",
        "header",
        "bearer",
        "GitHub token",
    ],
)
def test_what_has_the_form_of_a_secret_is_hidden(text: str, expected: str) -> None:
    assert redact(text, {}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://host/simple/mediapipe/",
        "file:///opt/wheels",
        "mail joe@example.org",
        "git@github.com:owner/name.git",
        "requires mediapipe==1.2.2",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text, {"EGL_PLATFORM": "surfaceless", "HOME": "/root"}) == text


def test_the_value_of_a_secret_variable_is_hidden_wherever_it_stands() -> None:
    assert redact("refused: s3cr3t-value!", {"PYPI_TOKEN": "s3cr3t-value!"}) == f"refused: {HIDDEN}"


def test_a_password_from_an_index_url_is_hidden_where_it_stands_alone_and_decoded() -> None:
    env = {"UV_DEFAULT_INDEX": "https://joe:p%40ssword@host/simple"}

    assert redact("tried p@ssword and p%40ssword", env) == f"tried {HIDDEN} and {HIDDEN}"


@pytest.mark.parametrize("value", ["", "1", "true", "abc", "12345"])
def test_a_value_too_common_to_be_a_secret_does_not_garble_the_text(value: str) -> None:
    assert redact("step 12345 of abc is true", {"USE_TOKEN": value}) == "step 12345 of abc is true"


@given(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9]{5,20}", fullmatch=True))
def test_no_secret_survives_and_a_second_time_changes_nothing(text: str, secret: str) -> None:
    env = {"THE_TOKEN": f"x{secret}"}

    once = redact(f"{text} x{secret} {text}", env)

    assert f"x{secret}" not in once
    assert redact(once, env) == once
