"""What tests need: a skip that says what would enable it, and in CI a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import client_missing, unable

TESTS = Path(__file__).parents[1]


def test_what_cannot_run_is_skipped_with_its_reason_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="no cluster here"):
        unable("no cluster here")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="must not be skipped in CI: no cluster here"):
        unable("no cluster here")


def test_a_client_that_is_not_installed_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    assert "pip install 'envcheck[kubernetes]'" in client_missing()


def test_no_test_is_skipped_for_want_of_a_package_behind_the_back_of_ci() -> None:
    skipping = [path for path in TESTS.rglob("*.py") if ".importorskip(" in path.read_text(encoding="utf-8")]

    assert skipping == [Path(__file__)]
