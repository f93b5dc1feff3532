from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from envcheck.conclude import conclude, expecting
from envcheck.model import Evidence, Finding, Results, Says, Status, Verdict, Witness
from envcheck.report import markdown
from envcheck.report.plain import visible
from tests.golden import as_if_seen

GOLDEN = Path(__file__).parents[1] / "golden"
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def evidence_of(*verdicts: str) -> list[Evidence]:
    return [as_if_seen(verdict) for verdict in verdicts]


def of(*verdicts: str, expect: Verdict | None = None) -> Results:
    return conclude(expecting(evidence_of(*verdicts), expect))


def tables(text: str) -> list[list[list[str]]]:
    """Tables as a Markdown parser sees them: rows of texts, without the header."""
    found: list[list[list[str]]] = []
    for token, content in pairwise(PARSER.parse(text)):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            found[-1][-1].append(plain(content))
    return [rows[1:] for rows in found]


def plain(inline: Token) -> str:
    """The text of an inline token."""
    return "".join(child.content for child in inline.children or [])


def kinds(text: str) -> set[str]:
    """Every kind of token a parser sees."""
    tokens = PARSER.parse(text)
    return {token.type for token in tokens} | {child.type for token in tokens for child in token.children or []}


def sections(text: str) -> list[str]:
    tokens = PARSER.parse(text)
    return [plain(after) for token, after in pairwise(tokens) if token.type == "heading_open"]


# --- what is in it ----------------------------------------------------------------------------------------------


def test_the_first_table_has_a_row_for_each_cell() -> None:
    results = of("accelerated", "refused", expect=Verdict.REFUSED)
    rows = tables(markdown.render(results))[0]

    assert rows[0][:3] == ["venv-py3.11-mp0.10.35-r570", "✅ accelerated", "refused, not met"]
    assert rows[0][3].startswith("5.42 (5.")
    assert rows[1] == ["venv-py3.11-mp1.2.2", "❌ refused", "refused, met", "–", "–", "–"]


def test_a_cell_has_verdict_reason_findings_witnesses_and_times() -> None:
    text = markdown.render(of("slower"))
    _, witnesses, times = tables(text)

    assert "❌ **slower** (expected accelerated, **not met**): speed-up 0.69 (95% interval" in text
    assert sections(text)[1:] == [
        "venv-py3.12-mp0.10.35-r570",
        "BEN502 the GPU works, but is not faster: speed-up 0.69 (95% interval 0.66 to 0.74, threshold 1)",
    ]
    assert witnesses[0] == [
        "native-log",
        "hardware",
        "NVIDIA GeForce RTX 5090/PCIe/SSE2 (OpenGL ES 3.2 NVIDIA 570.144)",
        "a \"GL version\" line that names NVIDIA's own driver, of the kernel module's version",
    ]
    assert {row[0] for row in witnesses} >= {"calculators", "libraries", "devices", "nvml-process"}
    assert [row[0] for row in times] == ["CPU", "GPU"]
    assert times[0][3] == "128"
    assert "Evidence: evidence/venv-py3.12-mp0.10.35-r570.json" in text


def test_what_was_not_measured_is_left_out() -> None:
    text = markdown.render(of("impossible"))

    assert len(tables(text)) == 1
    assert "median" not in text
    assert "witness" not in text


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_section_that_says_why(verdict: Verdict) -> None:
    results = of(verdict.value)
    text = markdown.render(results)

    assert f"**{verdict.value}**" in text
    assert sections(text)[1] == results.cells[0].id
    assert results.cells[0].findings[0].code in text


def test_a_remedy_is_a_block_to_copy() -> None:
    results = of("emulated")
    blocks = [token.content for token in PARSER.parse(markdown.render(results)) if token.type == "fence"]

    assert blocks == [finding.remedy + "\n" for finding in results.cells[0].findings]


def test_the_source_is_a_link() -> None:
    assert "Source: <https://github.com/google-ai-edge/mediapipe/issues/6180>" in markdown.render(of("emulated"))


def test_the_host_is_described() -> None:
    text = markdown.render(of("accelerated"))

    assert "- GPU: NVIDIA GeForce RTX 5090; driver 570.144, which serves CUDA 12.8" in text
    assert "- Variables that steer GL: NVIDIA_DRIVER_CAPABILITIES=all, NVIDIA_VISIBLE_DEVICES=all" in text
    assert "not known: NVML could not be loaded" in markdown.render(of("emulated"))


def test_a_report_says_of_when_it_is() -> None:
    """One that a later run could not replace must not be taken for that run's."""
    first, last = (replace(one, recorded_at=f"2026-11-{day}T02:00:00+00:00") for one, day in zip(
        evidence_of("accelerated", "refused"), (20, 21), strict=True
    ))  # fmt: skip

    assert "- Recorded: 2026-11-20T02:00:00+00:00\n" in markdown.render(conclude([first]))
    assert "- Recorded: 2026-11-20T02:00:00+00:00 to 2026-11-21T02:00:00+00:00\n" in markdown.render(
        conclude([last, first])
    )
    assert [cell.recorded_at for cell in conclude([first]).cells] == [first.recorded_at]
    assert "- Recorded" not in markdown.render(conclude([replace(first, recorded_at="")]))


def test_no_cells_are_said_to_be_none() -> None:
    assert "No cell was run." in markdown.render(Results(host=of("refused").host, cells=(), summary={}))


# --- hostile strings --------------------------------------------------------------------------------------------

HOSTILE = {
    "pipe": "a | b || c",
    "backslash and pipe": "\\| \\\\| \\",
    "code": "`a` ``b`` ```",
    "HTML": "<script>alert(1)</script> <img src=x onerror=y> &lt; &amp;",
    "comment": "<!-- gone",
    "newline": "a\n\n# heading\n\n| x | y |\n| --- | --- |",
    "image": "![x](https://evil.example/x.png) [y](javascript:z)",
    "reference": "[x]: https://evil.example",
    "autolink": "<https://evil.example> https://evil.example www.evil.example",
    "emphasis": "*a* **b** _c_ __d__ ~~e~~ a_b_c *",
    "heading": "# a",
    "closing heading": "a #",
    "rule": "---",
    "underline": "===",
    "bullet": "- a",
    "plus": "+ a",
    "numbered": "1. a",
    "numbered with a bracket": "12) a",
    "quote": "> a",
    "formula": "$x$ $$y$$",
    "mention": "@everyone a@b.example",
    "escape sequence": "\x1b[31mred",
    "direction": "\u202egnp.exe",
    "entity": "&#124; &copy;",
    "code block": "    indented",
    "nothing": "",
}


def attacked(text: str) -> Results:
    """A report where every string is `text`."""
    finding = Finding(code=text, status=Status.FAIL, summary=text, because=text, remedy=text, url=text)
    witness = Witness(name=text, says=Says.NOTHING, saw=text, needs=text)
    results = of("slower")
    cell = replace(results.cells[0], id=text, because=text, findings=(finding,), witnesses=(witness,), evidence=text)
    host = replace(results.host, cpu=text, steering={"DISPLAY": text})
    return Results(host=host, cells=(cell, cell), summary={})


OURS = kinds(markdown.render(attacked("harmless"))) | {"text_special", "softbreak"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_read_as_text_wherever_it_stands(kind: str) -> None:
    text = markdown.render(attacked(HOSTILE[kind]))
    shown = visible(HOSTILE[kind]) or "–"

    assert kinds(text) <= OURS
    assert [row[0] for row in tables(text)[0]] == [shown, shown]
    assert tables(text)[1] == [[shown, "nothing", shown, shown]]
    assert sections(text)[1:3] == [shown, f"{shown} {shown}"]


@settings(max_examples=150)
@given(text=st.text(alphabet=st.sampled_from("ab1 |\\`*_~[]()<>&#!$-+=.:/@\n\t\x1b")))
@example(text="1.")
@example(text="\\")
@example(text="_a_")
def test_any_text_keeps_the_structure_of_the_report(text: str) -> None:
    report = markdown.render(attacked(text))

    assert kinds(report) <= OURS
    assert [len(rows) for rows in tables(report)] == [2, 1, 2, 1, 2]
    assert tables(report)[1][0][2] == (visible(text) or "–")


@pytest.mark.parametrize(
    "text", ["https://evil.example", "http://evil.example", "www.evil.example", "@everyone", "a@b.c"]
)
def test_github_finds_nothing_to_link_or_to_call(text: str) -> None:
    assert text not in markdown.escape(text)


@pytest.mark.parametrize(
    "text", ["venv-py3.11-mp1.2.2-cu12.8-r570", "libEGL_nvidia.so.570.144", "CPU @ 2.70GHz", "0.5 (1 to 2)"]
)
def test_ordinary_text_reads_the_same_in_the_source(text: str) -> None:
    assert markdown.escape(text) == text


def test_a_fence_is_longer_than_any_in_the_remedy() -> None:
    blocks = [token for token in PARSER.parse(markdown.render(attacked("a\n````\nb"))) if token.type == "fence"]

    assert [block.content for block in blocks] == ["a\n````\nb\n", "a\n````\nb\n"]
