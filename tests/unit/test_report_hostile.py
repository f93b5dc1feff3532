"""Strings that environments may have chosen: in every field, in every format, they are shown as text."""

from __future__ import annotations

import base64
import csv as stdcsv
import io
import json as stdjson
import re
import unicodedata
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from envcheck.kept import Change, Entry, Move
from envcheck.model import Axes, Finding, Says, Status, Witness
from envcheck.report import badge, csv, html, json, junit, prometheus, readme, summary
from envcheck.report.dossier import Dossier
from envcheck.report.plain import UNSEEN
from envcheck.report.table import Slot, Table
from tests.unit.tabled import NOW, entry_of, table_of

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "end of script": "</script><img src=x onerror=alert(1)>",
    "comment": "--><b>x</b><!-- /envcheck:table -->",
    "attribute": "\" onmouseover='alert(1)' x=\"",
    "template": "{{ 7*7 }}{% raw %}${7*7}",
    "markdown": "`x` **y** [z](javascript:alert(1)) | a | <u>",
    "new lines": "a\nb\r\nc\n\n# heading\n| x | y |",
    "terminal": "\x1b[31mred\x1b]0;title\x07\x9b2J\x08",
    "formula": "=cmd|'/c calc'!A1",
    "formula at": "@SUM(1+1)",
    "formula minus": "-1+cmd",
    "quotes": 'a"b\\c',
    "labels": 'a"} 1\nenvcheck_evil{x="',
    "separators": "a\u2028b\u2029c\x85d",
    "directions": "a\u202eb\u2066c\ufeff",
    "nul": "a\0b",
    "surrogate": "a\ud800b",
    "xml": "]]><x/>&amp;&#0;",
    "long": "x" * 20_000,
}
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def entry(text: str) -> Entry:
    """An entry with that text in every field that takes one."""
    axes = Axes(*([text] * 6))
    return entry_of(
        "refused", axes, cell=text, host=text, because=text, codes=(text,), facts={text: text}, recorded_at=text,
        composed=text, run=text,
    )  # fmt: skip


def table(text: str) -> Table:
    """A table with that text in every field, of a cell that was run and of one that was not."""
    one = entry(text)
    return table_of([one], [Slot(f"{text}2", Axes(text), "excluded", text)], links={one.digest: text})


def change(text: str) -> Change:
    """A change likewise."""
    return Change(cell=text, host=text, kind=text, before=entry(text), after=entry(text), what=text, attribution=text,
                  moved=(Move(text, text, text),))  # fmt: skip


def page_of(of: Table) -> str:
    """The HTML page with dossiers, history, changes and causes of the same text."""
    text = next(of.places()).cell
    finding, witness = Finding(text, Status.FAIL, text, text, text, text), Witness(text, Says.GL, text, text)
    entries = [place.entry for place in of.places() if place.entry]
    dossiers = {one.digest: Dossier((finding,), (witness,)) for one in entries}
    return html.render(html.Contents(of, entries, [change(text)], dossiers, {text: finding}, title=text))


FORMATS: dict[str, Callable[[Table], str]] = {
    "markdown": readme.render, "csv": csv.render, "json": json.render, "junit": junit.render,
    "prometheus": prometheus.render, "badge": badge.render, "summary": summary.render,
    "html": page_of,
}  # fmt: skip


def steers(text: str) -> list[str]:
    """What a terminal or an editor would obey, line ends apart."""
    return [one for one in text if unicodedata.category(one) in UNSEEN and one not in "\n\r"]


class Tags(HTMLParser):
    """Every tag of a page with the names of its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, [name for name, _ in attrs]))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_format_fails_on_it_or_lets_it_steer_a_terminal(form: str, text: str) -> None:
    shown = FORMATS[form](table(text))

    shown.encode("utf-8", "backslashreplace" if form == "html" else "strict")
    assert steers(shown) == ([] if form != "html" else steers(html.script_text()))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_markdown_has_a_table_and_nothing_else(text: str) -> None:
    for shown in (readme.render(table(text)), readme.render(table_of([entry(text)]))):
        tokens = PARSER.parse(shown)
        kinds = {t.type for t in tokens} | {c.type for t in tokens for c in t.children or []}
        assert not kinds & {"html_block", "html_inline", "image", "heading_open", "code_inline", "fence", "s_open"}
        hrefs = [str(c.attrs["href"]) for t in tokens for c in t.children or [] if c.type == "link_open"]
        assert all(re.match(r"https://|[^:]*$", href.partition("/")[0]) for href in hrefs)
        assert sum(t.type == "table_open" for t in tokens) == 1
        assert readme.END not in shown


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_summary_has_only_the_html_of_its_own(text: str) -> None:
    shown = summary.render(table(text), [change(text)])
    tags = re.findall(r"<[/a-zA-Z!][^>]*>", shown)

    assert [tag for tag in tags if not tag.startswith("<https://")] == [
        "<details>", "<summary>", "</summary>", "</details>",
    ]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_csv_has_one_line_for_each_cell_and_no_formula(text: str) -> None:
    shown = csv.render(table(text))
    rows = list(stdcsv.reader(io.StringIO(shown)))

    assert len(rows) == len(shown.splitlines()) == 3
    assert {len(row) for row in rows} == {len(csv.HEAD)}
    numbers = re.compile(r"-?[0-9.]*\Z")
    assert [f for row in rows for f in row if f.startswith(csv.FORMULA) and not numbers.match(f)] == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_has_the_text_itself_in_ascii(text: str) -> None:
    shown = json.render(table(text))

    assert shown.isascii()
    cells = [cell for one in stdjson.loads(shown)["tables"] for cell in one["cells"]]
    assert text in [cell["id"] for cell in cells]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_junit_and_badge_are_xml_with_elements_of_ours_only(text: str) -> None:
    known = {"testsuites", "testsuite", "testcase", "skipped", "failure", "error", "system-out"}

    assert {one.tag for one in ET.fromstring(junit.render(table(text))).iter()} <= known
    names = {one.tag.partition("}")[2] for one in ET.fromstring(badge.render(table(text), label=text)).iter()}
    assert names == {"svg", "title", "rect", "path", "g", "text"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_prometheus_has_samples_of_ours_only(text: str) -> None:
    families = list(text_string_to_metric_families(prometheus.render(table(text))))

    assert {sample.name for family in families for sample in family.samples} <= {
        f"envcheck_cell_{name}"
        for name in ("info", "state", "verdict", "met", "composed", "recorded_timestamp_seconds")
    }
    assert all(len(family.samples) <= 2 for family in families)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_page_keeps_it_out_of_its_html_and_gives_it_to_the_script_unchanged(text: str) -> None:
    shown = page_of(table(text))
    rest = shown.replace(html.read("style.css"), "").replace(html.script_text(), "")
    reader = Tags()
    reader.feed(rest)

    assert {tag for tag, _ in reader.seen} & {"img", "b", "u", "x", "iframe", "object"} == set()
    assert [name for _, names in reader.seen for name in names if name.startswith("on")] == []
    assert [tag for tag, _ in reader.seen].count("script") == 3
    for name in ("overview", "details"):
        block = re.search(rf'id="{name}">([A-Za-z0-9+/=]*)</script>', rest)
        assert block is not None
        found: Any = stdjson.loads(zlib.decompress(base64.b64decode(block[1])))
        assert text in found["texts"]


def test_the_policy_of_the_page_names_the_digests_of_its_script_and_style() -> None:
    shown = html.render(html.Contents(table_of([entry_of()])))

    assert html.policy_of(html.read("style.css"), html.script_text()).replace("'", "&#39;") in shown
    assert "default-src &#39;none&#39;" in shown
    assert re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"", shown.partition("<script")[0]) == []
    assert NOW.strftime("%Y-%m-%d") in shown
