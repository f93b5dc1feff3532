"""The HTML report in a real browser: what a person sees, with mouse and keyboard, by day and by night, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from envcheck import store
from envcheck.conclude import conclude_cell
from envcheck.contents import causes
from envcheck.entries import entry_of
from envcheck.kept import Change, Entry, Move
from envcheck.model import Evidence, Speedup
from envcheck.report import html
from envcheck.report.dossier import Dossier, dossier_of
from envcheck.report.html import Contents
from envcheck.report.table import tabulate
from tests.functional.browsing import Tab, started
from tests.unit.tabled import axes_of, slot_of, table_of
from tests.unit.tabled import entry_of as simple_entry
from tests.unit.test_report_hostile import HOSTILE, page_of
from tests.unit.test_report_hostile import table as hostile_table

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

GOLDEN = Path(__file__).parents[1] / "golden"
NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
FAST, SLOW = "venv-py3.11-mp0.10.35-r570", "venv-py3.12-mp0.10.35-r570"


def evidence_of(verdict: str, days: float = 1.0) -> Evidence:
    """Evidence of a verdict, as if it had been seen some days ago."""
    (one,) = store.load_evidence(GOLDEN / f"{verdict}.json")
    return replace(one, composed="", recorded_at=(NOW - timedelta(days=days)).isoformat())


def nights(entry: Entry) -> list[Entry]:
    """The nights before: a third faster until ten days ago."""
    assert entry.bench is not None
    assert entry.bench.speedup is not None
    low, high = entry.bench.speedup.ci95
    found = []
    for night in range(25, 1, -1):
        by = 1.0 if night < 10 else 1.33
        speedup = Speedup(entry.bench.speedup.estimate * by, (low * by, high * by))
        recorded = (NOW - timedelta(days=night)).isoformat()
        bench = replace(entry.bench, speedup=speedup)
        found.append(replace(entry, bench=bench, recorded_at=recorded, digest=f"{night:064d}"))
    return found


def contents() -> Contents:
    """A report of six cells on two classes of hosts, with history, a change, and three cells that were never run."""
    entries: list[Entry] = []
    dossiers: dict[str, Dossier] = {}
    for verdict in ("accelerated", "slower", "refused", "silent-cpu", "wrong"):
        evidence = evidence_of(verdict, 90 if verdict == "wrong" else 1)
        result = conclude_cell(evidence)
        entry = replace(entry_of(evidence, result=result), verdict=result.verdict)
        entries.append(entry)
        dossiers[entry.digest] = dossier_of(result, evidence)
    fast = entries[0]
    before = nights(fast)
    moved = (Move("driver", "570.124.06", "570.144"),)
    change = Change(cell=fast.cell, host=fast.host, kind="regression", before=before[15], after=before[16], moved=moved,
                    what="the speed-up fell from 7.2 to 5.4.", attribution="The driver moved just then.")  # fmt: skip
    slots = [slot_of(mediapipe="0.10.21", cuda="12.8"), slot_of("impossible", "no GPU code", mediapipe="1.0.0"),
             slot_of("excluded", "too old", mediapipe="0.10.7")]  # fmt: skip
    table = tabulate(entries, slots, at=NOW, links={fast.digest: "evidence/fast.json"})
    return Contents(table, [*entries, *before], [change], dossiers, causes())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(contents()), encoding="utf-8")
    return path


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A tab in which nothing may go wrong and which may ask for nothing but the report."""
    found = Tab(browser)
    yield found
    assert found.errors == []
    assert {url.partition("#")[0] for url in found.asked} <= {found.page.url.partition("#")[0]}
    found.context.close()


def words(page: Page) -> list[str]:
    """The words of all places that are shown."""
    return page.locator(".place .word").all_inner_texts()


def cell_of(page: Page, cell: str) -> Any:
    return page.locator(f'.place[aria-label^="{cell}, "]').first


# --- the matrix -------------------------------------------------------------------------------------------------


def test_it_shows_every_cell_with_verdict_speed_up_interval_and_age(tab: Tab, report: Path) -> None:
    page = tab.open(report)

    place = cell_of(page, FAST)
    assert place.inner_text().split("\n") == ["accelerated", "5.42× (5.12–5.74)", "1 day ago"]
    assert page.locator("table[role=grid]").count() == 2
    shown = set(words(page))
    assert shown >= {"accelerated", "slower", "refused", "silent-cpu", "wrong", "untested", "impossible", "excluded"}
    assert "stale, 3 months ago" in page.locator(".place.stale").inner_text()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mediapipe", "1.2.2", {"refused"}),
        ("python", "3.12", {"slower"}),
        ("cuda", "12.8", {"untested"}),
        ("driver", "570", {"accelerated", "slower", "wrong"}),
        ("verdict", "slower", {"slower"}),
        ("state", "stale", {"wrong"}),
        ("state", "untested", {"untested"}),
        ("expectation", "met", {"accelerated"}),
    ],
)
def test_each_axis_has_a_filter(tab: Tab, report: Path, name: str, value: str, expected: set[str]) -> None:
    page = tab.open(report)
    page.locator(f'select[data-filter="{name}"]').select_option(value)

    assert set(words(page)) == expected
    assert f"{name}={value}" in page.url
    found = page.locator("#status").inner_text()
    assert re.fullmatch(rf"{len(words(page))} of \d+ cells", found)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert set(words(page)) == expected


def test_every_axis_and_host_has_its_select(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    names = page.locator("select[data-filter]").evaluate_all("all => all.map(one => one.dataset.filter)")

    assert names == ["backend", "python", "mediapipe", "cuda", "driver", "host", "verdict", "state", "expectation"]


def test_a_press_on_a_count_shows_only_those_and_a_second_one_all_again(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    every = len(words(page))
    button = page.locator('.tally button[data-group="refused"]')
    button.click()

    assert words(page) == ["refused"]
    assert button.get_attribute("aria-pressed") == "true"
    page.locator('.tally button[data-group="refused"]').click()
    assert len(words(page)) == every


def test_no_match_says_so_and_offers_the_way_back(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    page.locator("#search").fill("nothing like that")

    assert "No cell is like that." in page.locator(".grids").inner_text()
    page.get_by_role("button", name="Clear the filters").click()
    assert len(words(page)) > 5


def test_the_keyboard_does_everything(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    focused = "(one => one.getAttribute('aria-label') || one.id || one.tagName)(document.activeElement)"
    page.keyboard.press("/")
    assert page.evaluate(focused) == "search"
    page.keyboard.type("refused")
    assert words(page) == ["refused"]
    page.keyboard.press("Escape")
    assert len(words(page)) > 5

    first = page.locator('.place[tabindex="0"]')
    assert first.count() == 1
    first.focus()
    before = page.evaluate(focused)
    page.keyboard.press("ArrowDown")
    below = page.evaluate(focused)
    assert below != before
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == before
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert page.locator('.place[tabindex="0"]').count() == 1
    while not str(page.evaluate(focused)).startswith(FAST):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_selector("article.cell")
    assert page.evaluate("document.activeElement.textContent") == FAST
    page.keyboard.press("Escape")
    page.wait_for_selector(".matrix")
    assert str(page.evaluate(focused)).startswith(FAST)


def test_tab_reaches_filters_and_one_place_of_the_grids(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    reached = []
    for _ in range(45):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.className || document.activeElement.tagName"))

    assert sum("place" in str(one) for one in reached[:40]) == 1
    assert "skip" in str(reached[0])


# --- the page of a cell -----------------------------------------------------------------------------------------


def test_a_cell_opens_with_witnesses_findings_times_history_and_environment(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    cell_of(page, FAST).click()
    page.wait_for_selector("article.cell")
    text = page.locator("article.cell").inner_text()

    assert page.title().startswith(FAST)
    for part in ("expected accelerated: met", "Time per frame, CPU against GPU", "Findings and what to do", "Witnesses",
                 "History", "Environment", "libEGL_nvidia", "BEN501"):  # fmt: skip
        assert part in text, part
    assert page.locator("article.cell a[href='evidence/fast.json']").count() == 1
    chart = page.locator("svg.latency")
    assert "CPU: median 14.2 ms" in str(chart.get_attribute("aria-label"))
    assert chart.locator("path.bars").count() == 2
    assert page.locator("svg.history .flag").count() == 1
    assert "The driver moved just then." in text
    assert page.locator("tr.marked").count() == 1


def test_a_hash_leads_straight_to_a_cell_and_to_one_that_is_not_there(tab: Tab, report: Path) -> None:
    page = tab.open(report, f"#/cell/{SLOW}")
    assert page.locator("h2").inner_text() == SLOW

    page.goto(report.as_uri() + "#/cell/%E0%A4%A")
    page.wait_for_selector("text=No such cell")
    page.go_back()
    page.wait_for_selector(f"h2:has-text('{SLOW}')")


def test_a_remedy_is_copied(tab: Tab, report: Path) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = tab.open(report, f"#/cell/{SLOW}")
    remedy = page.locator(".remedy").first
    remedy.get_by_role("button").click()
    page.wait_for_selector("button:has-text('Copied')")

    assert page.evaluate("navigator.clipboard.readText()") == remedy.locator("pre").inner_text()


def test_a_cell_that_was_not_run_says_why(tab: Tab, report: Path) -> None:
    page = tab.open(report, "#/cell/venv-py3.11-mp1.0.0")

    assert "known not to work" in page.locator("article.cell").inner_text()
    assert "no GPU code" in page.locator("article.cell").inner_text()


# --- comparison and changes -------------------------------------------------------------------------------------


def test_any_two_cells_are_compared(tab: Tab, report: Path) -> None:
    page = tab.open(report, "#/")
    cell_of(page, FAST).click()
    page.get_by_role("link", name="Compare with another cell").click()
    page.wait_for_selector("#cell-b")
    second = page.locator("#cell-b")
    second.type("mp1.2.2")
    options = page.locator("#cells-b option").evaluate_all("all => all.map(one => one.value)")
    assert len(options) == 1
    second.fill(options[0])
    page.wait_for_selector(".two")
    rows = {row.split("\t")[0]: row.split("\t")[1:] for row in page.locator(".two tr").all_inner_texts()}

    assert rows["verdict"] == ["accelerated", "≠", "refused"]
    assert rows["MediaPipe"] == ["0.10.35", "≠", "1.2.2"]
    shown = page.locator(".two tbody tr").count()
    page.locator("#every").check()
    page.locator(".two tbody tr").nth(shown).wait_for()  # one more than before


def test_changes_are_listed_with_what_moved(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    page.get_by_role("link", name="Changes (1)").click()
    page.wait_for_selector(".card")

    text = page.locator(".card").inner_text()
    assert "regression, 2026-11-11: the speed-up fell from 7.2 to 5.4. The driver moved just then." in text
    assert "driver: 570.124.06 → 570.144" in text
    page.locator(".card a").click()
    page.wait_for_selector(f"h2:has-text('{FAST}')")


# --- eyes, paper, and safety ------------------------------------------------------------------------------------

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("route", ["#/", f"#/cell/{FAST}", f"#/cell/{SLOW}", "#/compare", "#/changes"])
def test_text_has_the_contrast_of_aa_by_day_and_by_night(
    browser: Browser, report: Path, scheme: str, route: str
) -> None:
    tab = Tab(browser, color_scheme=scheme)
    page = tab.open(report, route)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    assert page.evaluate(CONTRAST) == []
    tab.context.close()


def test_nothing_is_told_by_colour_alone(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    bare = page.locator(".place, .badge").evaluate_all(
        "all => all.filter(one => !one.querySelector('svg') || !one.textContent.trim()).length"
    )

    assert bare == 0


def test_it_prints_the_whole_matrix_without_what_paper_cannot_press(tab: Tab, report: Path) -> None:
    page = tab.open(report)
    page.emulate_media(media="print")

    assert page.locator(".filters").is_hidden()
    assert page.locator(".grid").first.is_visible()
    assert page.pdf()[:5] == b"%PDF-"
    page.emulate_media(media="screen")


def test_a_small_screen_needs_no_scrolling_sideways(tab: Tab, report: Path) -> None:
    tab.page.set_viewport_size({"width": 380, "height": 800})
    for route in ("#/", f"#/cell/{FAST}", "#/compare"):
        page = tab.open(report, route)
        assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_no_script_but_its_own_runs(browser: Browser, report: Path) -> None:
    tab = Tab(browser)
    page = tab.open(report)
    page.evaluate("""() => {
      const one = document.createElement("script");
      one.textContent = "window.evil = 1";
      document.body.append(one);
      document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.evil = 1'>");
    }""")
    page.wait_for_function("[...document.images].every(one => one.complete)")  # asked for, and refused
    while not any("Content Security Policy" in error for error in tab.errors):
        page.wait_for_timeout(50)

    assert page.evaluate("window.evil") is None
    tab.context.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_strings_are_shown_as_text(browser: Browser, tmp_path: Path, name: str) -> None:
    text = HOSTILE[name]
    path = tmp_path / "report.html"
    path.write_text(page_of(hostile_table(text)), encoding="utf-8")
    tab = Tab(browser)
    page = tab.open(path)
    foreign = page.locator("main :is(script, img, iframe, u, style)")
    assert foreign.count() == 0
    page.locator(".place").first.click()
    page.wait_for_selector("article.cell")
    assert foreign.count() == 0
    assert page.evaluate("(text) => document.querySelector('h2').textContent === text", text) or "\ud800" in text
    links = page.locator("main a[href]").evaluate_all("all => all.map(one => one.protocol)")
    assert set(links) <= {"file:", "https:"}
    for route in ("#/compare", "#/changes"):
        page.goto(path.as_uri() + route)
        page.wait_for_timeout(50)
    assert tab.errors == []
    tab.context.close()


def test_thousands_of_cells_are_turned_over_by_page(tab: Tab, tmp_path: Path) -> None:
    parts = product(range(40), ("3.10", "3.11", "3.12"), ("12.4", "12.8", "13.0"), ("570", "any"))
    axes = [axes_of(f"0.10.{minor}", python=python, cuda=cuda, driver=driver) for minor, python, cuda, driver in parts]
    path = tmp_path / "report.html"
    path.write_text(html.render(Contents(table_of([simple_entry(axes=one) for one in axes]))), encoding="utf-8")
    page = tab.open(path)
    first = words(page)

    assert 0 < len(first) <= 600
    assert "Page 1 of 2" in page.locator(".pager").inner_text()
    page.locator('.place[tabindex="0"]').focus()
    page.keyboard.press("PageDown")
    assert "Page 2 of 2" in page.locator(".pager").inner_text()
    assert len(first) + len(words(page)) == len(axes) == 720
