"""Findings as text, JSON and SARIF."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envcheck import __version__
from envcheck.lint import BY_CODE, CHECKS, Finding, Level, lint
from envcheck.report import lint as report
from envcheck.report import sarif

FINDING = Finding(
    path="a b/ünï.py", code="SRC801", level=Level.ERROR, message="m", line=3, column=5, end_line=3, end_column=9
)
REMARK = Finding(path="n.ipynb", code="SRC802", level=Level.NOTE, message="m", line=2, column=1, cell=4)


def log(*findings: Finding) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(sarif.render(findings))
    return loaded


def test_text_explains_each_code_once_and_counts() -> None:
    lines = list(report.text([FINDING, FINDING, REMARK], 3))

    assert lines[0] == "a b/ünï.py:3:5: SRC801 m"
    assert sum(line.startswith("    why:") for line in lines) == 2
    assert "n.ipynb:cell 4:2:1: SRC802 remark: m" in lines
    assert lines[-1] == "3 files, 2 findings, 1 remark"


def test_nothing_found_is_said() -> None:
    assert list(report.text([], 1)) == ["1 file, 0 findings, 0 remarks"]


def test_json_holds_places_and_the_words_of_the_check() -> None:
    loaded = json.loads(report.as_json([FINDING, REMARK], 2))

    assert loaded["schema"] == "envcheck.lint/1"
    assert loaded["summary"] == {"files": 2, "findings": 1, "remarks": 1}
    assert loaded["findings"][0]["because"] == BY_CODE["SRC801"].because
    assert "cell" not in loaded["findings"][0]
    assert loaded["findings"][1]["cell"] == 4


def test_sarif_has_the_structure_that_2_1_0_demands() -> None:
    whole = log(FINDING, REMARK)
    run, = whole["runs"]  # fmt: skip
    driver = run["tool"]["driver"]

    assert whole["version"] == "2.1.0"
    assert whole["$schema"].endswith("sarif-2.1.0.json")
    assert driver["name"] == "envcheck"
    assert driver["semanticVersion"] == __version__
    assert run["columnKind"] in ("unicodeCodePoints", "utf16CodeUnits")
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]


def test_sarif_carries_every_check_with_its_help() -> None:
    rules = log()["runs"][0]["tool"]["driver"]["rules"]

    assert [rule["id"] for rule in rules] == [check.code for check in CHECKS]
    for rule, check in zip(rules, CHECKS, strict=True):
        assert rule["helpUri"] == check.url
        assert check.remedy in rule["help"]["text"]
        assert check.remedy in rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] == check.level.value


def test_sarif_regions_count_from_one_and_end_behind_the_last_character() -> None:
    found = lint(
        "a.py",
        "import mediapipe as mp\ns='\U0001f600';mp.solutions.face_mesh.FaceMesh()".encode(),
        codes=frozenset(BY_CODE),
    )
    region = log(*found)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]

    assert region == {"startLine": 2, "startColumn": 7, "endLine": 2, "endColumn": 40}


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ünï.py", "a%20b/%C3%BCn%C3%AF.py"),
        ("/abs/a#b.py", "file:///abs/a%23b.py"),
        ("-", "-"),
        ("bad\udcff.py", "bad%5Cudcff.py"),
    ],
)
def test_sarif_paths_are_uris(path: str, uri: str) -> None:
    assert sarif.uri(path) == uri


def test_a_notebook_in_sarif_names_its_cell_in_the_message() -> None:
    result = log(REMARK)["runs"][0]["results"][0]

    assert result["message"]["text"] == "m (cell 4, line 2)"
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_every_check_says_why_what_to_write_and_where_that_is_known_from() -> None:
    for check in CHECKS:
        assert check.code.startswith("SRC8")
        assert check.title
        assert check.because
        assert check.remedy
        assert check.url.startswith("https://")


def test_codes_are_unique() -> None:
    assert len(BY_CODE) == len(CHECKS)
