"""The compatibility table in the formats that programs read."""

from __future__ import annotations

import csv as stdcsv
import io
import json as stdjson
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from envcheck.kept import Change
from envcheck.model import Verdict
from envcheck.report import badge, csv, json, junit, prometheus, summary
from envcheck.report.table import Table
from tests.unit.tabled import LONG_AGO, TODAY, axes_of, entry_of, every_state, slot_of, table_of

CHANGE = Change(
    cell="venv-py3.11-mp1.2.2", host="H", kind="regression", before=entry_of(), after=entry_of("refused"),
    what="accelerated became refused", attribution="The driver moved from 570 to 580.",
)  # fmt: skip


def rows_of(text: str) -> list[dict[str, str]]:
    return list(stdcsv.DictReader(io.StringIO(text)))


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_csv_has_a_row_for_each_place_and_no_zero_for_what_was_not_measured() -> None:
    rows = {row["cell"]: row for row in rows_of(csv.render(every_state()))}

    assert len(rows) == 8
    passed, refused = rows["venv-py3.11-mp1.2.2"], rows["venv-py3.11-mp1.1.1"]
    assert (passed["verdict"], passed["met"], passed["speedup"], passed["cpu_median_ms"]) == (
        "accelerated", "true", "5.42", "10",
    )  # fmt: skip
    assert (refused["met"], refused["speedup"], refused["codes"]) == ("false", "", "GPU105 EGL202")
    assert rows["venv-py3.11-mp0.10.21"]["state"] == "untested"
    assert rows["venv-py3.11-mp0.10.21"]["verdict"] == ""
    assert rows["venv-py3.11-mp1.0.0"]["because"] == "no GPU code in the wheel"


def test_json_has_tables_of_cells_and_a_summary() -> None:
    document = stdjson.loads(json.render(every_state()))

    assert document["schema"] == "envcheck.table/1"
    (table,) = document["tables"]
    cells = {cell["id"]: cell for cell in table["cells"]}
    assert cells["venv-py3.11-mp1.2.2"]["bench"]["speedup"]["ci95"][0] == pytest.approx(5.149)
    assert cells["venv-py3.11-mp0.10.35"]["state"] == "stale"
    assert "verdict" not in cells["venv-py3.11-mp0.10.21"]
    assert "bench" not in cells["venv-py3.11-mp1.1.1"]
    assert sum(document["summary"].values()) == len(cells) == 8


def test_junit_passes_only_what_met_its_expectation_lately() -> None:
    root = ET.fromstring(junit.render(every_state()))
    (suite,) = root
    outcomes = {case.get("name"): [child.tag for child in case if child.tag != "system-out"] for case in suite}

    assert outcomes == {
        "venv-py3.11-mp1.2.2": [], "venv-py3.11-mp1.1.1": ["failure"], "venv-py3.11-mp1.0.0": ["skipped"],
        "venv-py3.11-mp0.10.35": ["skipped"], "venv-py3.11-mp0.10.33": ["error"], "venv-py3.11-mp0.10.21": ["skipped"],
        "venv-py3.11-mp0.10.21-r580": ["skipped"], "venv-py3.11-mp0.10.7": ["skipped"],
    }  # fmt: skip
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "8", "failures": "1", "errors": "1", "skipped": "5"}


FORETOLD = entry_of("impossible", axes_of("1.0.0"), expected=Verdict.IMPOSSIBLE, met=True)


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        (table_of([]), 1),
        (table_of([], [slot_of(mediapipe="1.2.2")]), 1),
        (table_of([entry_of(recorded_at=LONG_AGO)]), 1),
        (table_of([FORETOLD, entry_of("unreachable")]), 1),
        (table_of([FORETOLD]), 0),
        (table_of([FORETOLD, entry_of()]), 0),
        (table_of([entry_of(), entry_of("unreachable", axes_of("1.1.1"))]), 0),
    ],
    ids=["nothing", "untested", "stale", "a lost driver", "the impossible alone", "and one that passes", "one passes"],
)
def test_a_junit_in_which_nothing_was_judged_is_not_green(table: Table, errors: int) -> None:
    cases = [case for suite in ET.fromstring(junit.render(table)) for case in suite]

    assert sum(case.find("error") is not None for case in cases) == errors


def test_junit_says_a_stale_failure_is_one() -> None:
    root = ET.fromstring(junit.render(table_of([entry_of("refused", recorded_at=LONG_AGO)])))

    message = root[0][0][0]
    assert message.tag == "failure"
    assert "stale since 2026-05-01" in str(message.get("message"))


def test_prometheus_has_samples_for_what_was_measured_and_no_others() -> None:
    found = samples(prometheus.render(every_state()))
    ratios = {(labels["cell"], labels["bound"]): value for labels, value in found["envcheck_cell_speedup_ratio"]}
    verdicts = {labels["cell"]: labels["verdict"] for labels, _ in found["envcheck_cell_verdict"]}

    assert ratios["venv-py3.11-mp1.2.2", "estimate"] == 5.42
    assert {cell for cell, _ in ratios} == {"venv-py3.11-mp1.2.2", "venv-py3.11-mp0.10.35"}
    assert verdicts["venv-py3.11-mp1.1.1"] == "refused"
    assert "venv-py3.11-mp0.10.21" not in verdicts
    assert {labels["cell"]: met for labels, met in found["envcheck_cell_met"]} == {
        "venv-py3.11-mp1.2.2": 1.0,
        "venv-py3.11-mp1.1.1": 0.0,
        "venv-py3.11-mp0.10.33": 0.0,
    }
    assert len(found["envcheck_cell_info"]) == 8
    seconds = {
        (labels["delegate"], labels["quantile"]): value for labels, value in found["envcheck_cell_frame_seconds"]
    }
    assert seconds["cpu", "0.5"] == 0.010


@pytest.mark.parametrize(
    ("entries", "message", "colour"),
    [
        ([], "not tested", badge.GREY),
        ([entry_of(recorded_at=LONG_AGO)], "stale", badge.GREY),
        ([entry_of()], "1 of 1 proven", badge.GREEN),
        ([entry_of(), entry_of("refused", axes_of("1.1.1"))], "1 of 2 proven", badge.AMBER),
        ([entry_of("refused")], "0 of 1 proven", badge.RED),
        ([entry_of(composed="from facts", met=False)], "0 of 1 proven", badge.RED),
        ([entry_of("unreachable")], "not tested", badge.GREY),
        (
            [entry_of(), entry_of("refused", axes_of("1.1.1"), recorded_at=LONG_AGO)],
            "1 of 1 proven, 1 stale",
            badge.GREEN,
        ),
        (
            [entry_of(), entry_of(host="NVIDIA T4, driver 550.54, linux x86_64", recorded_at=LONG_AGO)],
            "1 of 1 proven",
            badge.GREEN,
        ),
    ],
    ids=["nothing", "stale", "all", "half", "none", "composed", "unreachable", "the rest is stale", "a host of old"],
)
def test_the_badge_says_how_many_are_proven(entries: list[object], message: str, colour: str) -> None:
    svg = badge.render(table_of(entries))  # type: ignore[arg-type]
    root = ET.fromstring(svg)

    assert root.get("aria-label") == f"FaceMesh on GPU: {message}"
    assert [one.text for one in root.iter() if one.tag.endswith("text")] == ["FaceMesh on GPU", message]
    assert colour in svg


def test_the_summary_starts_with_how_it_went_then_changes_then_failures() -> None:
    text = summary.render(every_state(), [CHANGE])

    assert text.startswith("## ❌ envcheck: 2 of 4 cells are not as expected\n")
    places = [text.index(part) for part in ("1 accelerated", "### Changes", "### Not as expected", "<details>")]
    assert places == sorted(places)
    assert "accelerated became refused. The driver moved from 570 to 580." in text


def test_a_summary_of_nothing_is_no_good_news() -> None:
    assert summary.render(table_of([])).startswith("## ❔ envcheck: nothing was judged")
    assert summary.render(table_of([entry_of()])).startswith("## ✅ envcheck: all 1 cells are as expected")


@pytest.mark.parametrize(
    ("render", "sign"),
    [
        (csv.render, ",from facts\r\n"),
        (json.render, '"composed": "from facts"'),
        (prometheus.render, "\nenvcheck_cell_composed{"),
        (junit.render, "accelerated (composed, seen by nobody), expected accelerated"),
        (summary.render, "accelerated (composed)"),
    ],
)
def test_every_format_says_of_what_nobody_saw_that_it_was_composed(render: Callable[[Table], str], sign: str) -> None:
    assert sign in render(table_of([entry_of(composed="from facts", met=False)]))
    assert sign not in render(table_of([entry_of()]))


def test_a_summary_says_of_when_its_good_news_is() -> None:
    old = entry_of(axes=axes_of("1.1.1"), recorded_at=LONG_AGO)
    fresh, stale, both = (
        summary.render(table_of(one)).split("\n")[0] for one in ([entry_of()], [old], [entry_of(), old])
    )

    assert fresh == f"## ✅ envcheck: all 1 cells are as expected, seen {TODAY[:10]}"
    assert stale == "## ❔ envcheck: nothing was judged lately: of 1 cells the verdicts are stale"
    assert both == f"{fresh}; of 1 more the verdicts are stale"
