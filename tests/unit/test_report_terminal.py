from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from envcheck.conclude import conclude, expecting
from envcheck.errors import EXIT_CODES
from envcheck.gate import exit_code as code_of
from envcheck.model import (
    Axes,
    Bench,
    CellResult,
    Finding,
    Host,
    Results,
    Speedup,
    Status,
    Timing,
    Unread,
    Verdict,
)
from envcheck.report import terminal
from tests.golden import as_if_seen

GOLDEN = Path(__file__).parents[1] / "golden"
ALL = conclude([as_if_seen(path.stem) for path in sorted(GOLDEN.glob("*.json"))])
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def of(*verdicts: str, expect: Verdict | None = None) -> Results:
    evidence = [as_if_seen(verdict) for verdict in verdicts]
    return conclude(expecting(evidence, expect))


def text_of(results: Results, width: int = 100, *, colour: bool = False, encoding: str = "utf-8") -> str:
    return terminal.render(results, width=width, colour=colour, exit_code=code_of(results), encoding=encoding)


def paragraph(text: str, code: str) -> str:
    return next(part for part in text.split("\n\n") if part.startswith(code))


def row_of(text: str, cell: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{cell} "))


def hostile(text: str, cells: int = 1) -> Results:
    finding = Finding(code="EGL206", status=Status.FAIL, summary=text, because=text, remedy=text, url=text)
    rows = tuple(
        CellResult(
            id=f"{text}{number}",
            axes=Axes(backend="venv"),
            verdict=Verdict.REFUSED,
            status=Status.FAIL,
            expected=Verdict.ACCELERATED,
            met=False,
            findings=(finding,),
            because=text,
        )
        for number in range(cells)
    )
    host = Host(platform="linux", machine="x86_64", nvml=Unread(reason=text))
    return Results(host=host, cells=rows, summary={"refused": cells})


# --- the table --------------------------------------------------------------------------------------------------


def test_a_row_shows_verdict_speed_up_with_interval_and_both_medians() -> None:
    row = row_of(text_of(of("accelerated", "refused")), "venv-py3.11-mp0.10.35-r570")

    assert re.search(r"✔ accelerated +5\.\d\d× \(5\.\d\d–5\.\d\d\) +14\.\d +2\.\d\d$", row)


def test_what_was_not_measured_is_a_dash_and_never_a_zero() -> None:
    row = row_of(text_of(of("accelerated", "refused")), "venv-py3.11-mp1.2.2")

    assert re.search(r"✘ refused +– +– +–$", row)


def test_the_expectation_is_a_column_only_where_one_differs_from_the_default() -> None:
    assert "Expected" not in text_of(of("refused", "slower"))

    told = text_of(of("refused", "slower", expect=Verdict.REFUSED))
    assert "refused, met" in row_of(told, "venv-py3.11-mp1.2.2")
    assert "refused, not met" in row_of(told, "venv-py3.12-mp0.10.35-r570")


def test_an_unreachable_cell_is_neither_met_nor_not_met() -> None:
    row = row_of(text_of(of("unreachable", "refused", expect=Verdict.REFUSED)), "venv-py3.11-mp1.2.2-r580")

    assert "– unreachable" in row
    assert "met" not in row


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_sign_and_a_word_without_colour(verdict: Verdict) -> None:
    text = text_of(of(verdict.value))
    sign = terminal.SIGN[verdict.status]

    assert f"{sign} {verdict.value}" in text
    assert sign == "✔" if verdict is Verdict.ACCELERATED else sign != "✔"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0504, "0.050"), (0.197, "0.20"), (5.416, "5.42"), (14.3, "14.3"), (231.44, "231.4")]
)
def test_numbers_have_the_digits_that_count(value: float, shown: str) -> None:
    timing = Timing(median_ms=value, p95_ms=value, n=5)
    bench = Bench(cpu=timing, speedup=Speedup(estimate=value, ci95=(value, value)))
    cell = replace(ALL.cells[0], bench=bench)

    assert terminal.measured(cell)[0] == f"{shown}× ({shown}–{shown})"
    assert terminal.measured(cell)[2] == "–"


# --- the causes -------------------------------------------------------------------------------------------------


def test_a_cause_names_code_what_was_seen_why_the_way_out_and_the_source() -> None:
    text = paragraph(text_of(of("silent-cpu")), "MPP402")

    assert "MPP402  delegate=GPU is accepted and ignored" in text
    assert re.search(r"^  seen   .*every model ran on the CPU", text, re.MULTILINE)
    assert re.search(r"^  cell   venv-py3\.11-mp0\.10\.31$", text, re.MULTILINE)
    assert re.search(r"^  why    The work stays on the CPU", text, re.MULTILINE)
    assert re.search(r"^  do     pip install 'mediapipe>=1\.0\.1'", text, re.MULTILINE)
    assert re.search(r"^  source https://\S+$", text, re.MULTILINE)


def test_twelve_cells_with_one_cause_give_one_paragraph() -> None:
    cell = of("slower").cells[0]
    cells = tuple(replace(cell, id=f"cell-{number}") for number in range(12))
    text = text_of(replace(of("slower"), cells=cells, summary={"slower": 12}))

    assert text.count("BEN502") == text.count("  why ") == text.count("  source ") == 1
    assert all(f"cell-{number}" in paragraph(text, "BEN502") for number in range(12))


def test_cells_that_saw_different_things_share_a_paragraph_and_keep_what_each_saw() -> None:
    one = of("slower").cells[0]
    other = replace(
        one, id="other", findings=(replace(one.findings[0], summary="the GPU works, but is not faster: speed-up 0.2"),)
    )
    text = paragraph(text_of(replace(of("slower"), cells=(one, other))), "BEN502")

    assert text.count("  seen ") == 2
    assert text.index("speed-up 0.69") < text.index(one.id) < text.index("speed-up 0.2 ".strip()) < text.index("other")
    assert text.count("  why ") == 1


def test_a_thousand_cells_are_counted_not_listed() -> None:
    cell = of("slower").cells[0]
    cells = tuple(replace(cell, id=f"cell-{number:04}") for number in range(1000))
    text = paragraph(text_of(replace(of("slower"), cells=cells)), "BEN502")

    assert "and 988 more" in text
    assert len(text.splitlines()) < 25


def test_good_news_comes_last_and_needs_no_remedy() -> None:
    text = text_of(of("accelerated", "slower"))

    assert text.index("BEN502") < text.index("BEN501")
    assert "  do " not in paragraph(text, "BEN501")


def test_other_findings_of_a_cell_are_named_too() -> None:
    cell = of("slower").cells[0]
    second = replace(cell.findings[0], code="CUD705", summary="the CUDA runtime loads: no driver")
    text = text_of(replace(of("slower"), cells=(replace(cell, findings=(*cell.findings, second)),)))

    assert "  also   CUD705 the CUDA runtime loads: no driver (envcheck explain CUD705)" in text


def test_a_cell_without_a_finding_still_says_why() -> None:
    cell = replace(of("refused").cells[0], findings=())

    assert "GPU emulation detected" in text_of(replace(of("refused"), cells=(cell,)))


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_commands_stay_on_one_line_at_any_width_so_that_they_can_be_copied(width: int) -> None:
    text = text_of(ALL, width)

    for cell in ALL.cells:
        for line in cell.findings[0].remedy.splitlines():
            if cell.status is not Status.PASS and not line[:1].isupper():
                assert line in text


@pytest.mark.parametrize("command", ["EGL_LOG_LEVEL=debug eglinfo -B", "RUN apt-get update", "ENV A=b"])
def test_a_command_that_begins_with_capitals_is_a_command(command: str) -> None:
    cell = of("refused").cells[0]
    finding = replace(cell.findings[0], remedy=f"{command}    # {'why ' * 40}\nA sentence {'of many words ' * 20}")
    text = text_of(replace(of("refused"), cells=(replace(cell, findings=(finding,)),)), 60)

    assert f"{command}    # {'why ' * 40}".strip() in text
    assert all(len(line) <= 60 for line in text.splitlines() if "words" in line)


# --- width, colour, encoding ------------------------------------------------------------------------------------


def is_verbatim(line: str) -> bool:
    """Commands, comments and addresses are never broken."""
    return bool(re.match(r"( {9}|  do {5}|  source )\S", line))


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 160])
def test_nothing_but_commands_and_addresses_is_wider_than_the_terminal(width: int) -> None:
    for line in text_of(ALL, width).splitlines():
        assert cell_len(line) <= width or is_verbatim(line)


def test_the_table_fits_eighty_columns() -> None:
    assert "CPU ms  GPU ms" in text_of(ALL, 80)


@pytest.mark.parametrize("width", [-5, 0, 1, 30, 50])
def test_a_narrow_terminal_gets_a_list_with_the_same_facts(width: int) -> None:
    text = text_of(of("emulated", "refused", expect=Verdict.EMULATED), width)
    words = " ".join(text.split())

    assert "venv-py3.11-mp0.10.35 ✘ emulated expected emulated, met speed-up 0.20× (0.19–0.21)," in words
    assert "venv-py3.11-mp1.2.2 ✘ refused expected emulated, not met" in words


def test_without_colour_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in text_of(ALL)


def test_colour_adds_colour_and_changes_no_word() -> None:
    coloured = text_of(ALL, colour=True)

    assert "\x1b[1;31m✘ emulated" in coloured
    assert "\x1b[1;32m✔ accelerated" in coloured
    assert [line.rstrip() for line in ESCAPE.sub("", coloured).splitlines()] == text_of(ALL).splitlines()


@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "JUPYTER_COLUMNS"])
def test_the_environment_changes_nothing(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = text_of(ALL, colour=True), text_of(ALL)
    monkeypatch.setenv(variable, "dumb" if variable == "TERM" else "1")

    assert (text_of(ALL, colour=True), text_of(ALL)) == before


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "no-such-encoding"])
def test_a_stream_without_box_characters_gets_ascii(encoding: str) -> None:
    text = text_of(of("emulated", "accelerated", "unreachable"), encoding=encoding)

    assert text.isascii()
    assert "x emulated" in text
    assert "+ accelerated" in text
    assert "- unreachable" in text
    assert "0.20x (0.19-0.21)" in text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_a_stream_with_box_characters_gets_them(encoding: str) -> None:
    assert "✘ emulated" in text_of(of("emulated"), encoding=encoding)


class Stream(io.StringIO):
    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor


@pytest.mark.parametrize("columns", ["", "0", "-3", "wide"])
def test_where_there_is_no_terminal_the_width_is_a_hundred(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert terminal.width_of(io.StringIO()) == 100
    assert terminal.width_of(Stream(99999)) == 100


def test_the_width_is_the_terminals_unless_columns_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((73, 20)))
    assert terminal.width_of(Stream(1)) == 73

    monkeypatch.setenv("COLUMNS", "61")
    assert terminal.width_of(Stream(1)) == 61


# --- hostile strings --------------------------------------------------------------------------------------------

HOSTILE = {
    "colour": "\x1b[31mgotcha",
    "cursor": "\x1b[2J\x1b[Hgotcha",
    "window title": "\x1b]0;gotcha\x07",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\gotcha",
    "markup": "[bold red]gotcha[/] [link=https://evil.example]x[/link] [/nothing]",
    "emoji": ":warning: gotcha",
    "carriage return": "fine\rgotcha",
    "direction": "gotcha\u202egnp.exe",
    "lines": "gotcha\n✔ accelerated\n0 cells – exit 0 because all is well",
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
def test_hostile_text_is_shown_and_not_obeyed(kind: str, colour: bool) -> None:
    text = ESCAPE.sub("", text_of(hostile(HOSTILE[kind]), 60, colour=colour))

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "gotcha" in text
    if kind == "markup":
        assert "[bold red]gotcha[/]" in text
    if kind == "lines":
        assert not re.search(r"^(✔|0 cells)", text, re.MULTILINE)


@settings(max_examples=60)
@given(text=st.text(max_size=200), width=st.integers(0, 150), colour=st.booleans())
def test_any_text_can_be_rendered(text: str, width: int, colour: bool) -> None:
    shown = text_of(hostile(text, cells=2), width, colour=colour)

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", ESCAPE.sub("", shown))
    assert "exit 1" in " ".join(ESCAPE.sub("", shown).split())


def test_a_novel_in_an_error_message_is_cut() -> None:
    cell = of("refused").cells[0]
    findings = (replace(cell.findings[0], summary="refused: " + "word " * 100_000),)
    text = text_of(replace(of("refused"), cells=(replace(cell, findings=findings),)))

    assert len(text) < 3000
    assert "the evidence file has it all" in " ".join(text.split())


# --- the last line ----------------------------------------------------------------------------------------------


TWO_CELLS = "2 cells: 1 accelerated, 1 emulated"


def last_of(results: Results, code: int, width: int = 300) -> str:
    return terminal.render(results, width=width, colour=False, exit_code=code).splitlines()[-1]


@pytest.mark.parametrize(
    ("results", "code", "line"),
    [
        (of("accelerated"), 0, "1 cell: 1 accelerated – exit 0 because every cell came out as expected"),
        (
            of("accelerated", "unreachable"),
            0,
            "2 cells: 1 accelerated, 1 unreachable – exit 0 because every cell that can run here came out as expected",
        ),
        (
            of("emulated", "accelerated"),
            1,
            f"{TWO_CELLS} – exit 1 because venv-py3.11-mp0.10.35 came out as emulated, not accelerated",
        ),
        (
            of("emulated", "refused", "accelerated"),
            1,
            "3 cells: 1 accelerated, 1 emulated, 1 refused – exit 1 because 2 did not come out as expected",
        ),
        (of("accelerated"), 1, "1 cell: 1 accelerated – exit 1 because a test of the acceptance suite failed"),
        (of("unreachable"), 3, "1 cell: 1 unreachable – exit 3 because nothing ran"),
        (
            of("unknown"),
            75,
            "1 cell: 1 unknown – exit 75 because an environment or its engine could not be had; a retry may mend that",
        ),
    ],
    ids=["met", "met, one unreachable", "one unmet", "two unmet", "own test failed", "nothing ran", "not fetched"],
)
def test_the_last_line_says_how_many_came_out_how_and_why_the_exit_code(results: Results, code: int, line: str) -> None:
    assert last_of(results, code) == line


def test_no_cells_are_nothing_that_ran() -> None:
    empty = Results(host=ALL.host, cells=(), summary={})

    assert text_of(empty) == "0 cells – exit 3 because nothing ran\n"


@pytest.mark.parametrize("code", EXIT_CODES)
def test_every_exit_code_has_a_reason(code: int) -> None:
    assert re.search(rf"exit {code} because \w+", last_of(ALL, code))
