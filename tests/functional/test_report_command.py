"""`envcheck report` as a user runs it: from a results folder, from an archive, into files and a README."""

from __future__ import annotations

import csv
import io
import json
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from envcheck import store
from envcheck.archive import open_archive
from envcheck.conclude import conclude
from envcheck.entries import entry_of
from envcheck.model import Evidence
from envcheck.publishing import texts_of
from envcheck.report import readme
from tests.functional.conftest import Command

GOLDEN = Path(__file__).parents[1] / "golden"
FAST = "venv-py3.11-mp0.10.35-r570"
MATRIX = 'version: 1\naxes:\n  python: ["3.11"]\n  mediapipe: ["0.10.21", "1.0.0", "1.2.2"]\n'


def seen(verdict: str, days: float = 0.1) -> Evidence:
    """Evidence of a verdict as if it had been recorded lately."""
    (one,) = store.load_evidence(GOLDEN / f"{verdict}.json")
    recorded = datetime.now(timezone.utc) - timedelta(days=days)
    return replace(one, composed="", recorded_at=recorded.isoformat(timespec="seconds"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder in which `.envcheck` holds the results of a run of three cells."""
    evidence = [seen("accelerated"), seen("refused"), seen("slower")]
    found = conclude(evidence)
    store.publish(tmp_path / ".envcheck", found, evidence, texts_of(found, evidence))
    return tmp_path


@pytest.fixture
def archived(tmp_path: Path) -> Path:
    """An archive in which a cell was fast for two nights and is refused since."""
    with open_archive(tmp_path / "history.sqlite") as archive:
        for one in (seen("accelerated", 3), seen("accelerated", 2)):
            archive.add(entry_of(one), one)
        for days in (1.0, 0.1):
            fast = seen("accelerated")
            broken = replace(seen("silent-cpu", days), cell=fast.cell, host=fast.host)
            archive.add(entry_of(broken), broken)
    return tmp_path / "history.sqlite"


def test_a_run_has_an_html_report_beside_its_markdown(results: Path) -> None:
    page = (results / ".envcheck" / "report.html").read_text(encoding="utf-8")

    assert page.startswith("<!doctype html>")
    assert "3 cells" in page


def test_it_prints_markdown_from_the_results_here(envcheck: Command, results: Path) -> None:
    ran = envcheck("report", cwd=results)

    assert ran.code == 0, ran.stderr
    assert f"(.envcheck/evidence/{FAST}.json)" in ran.stdout
    assert "✅ 5.42×" in ran.stdout
    assert "❌ refused" in ran.stdout


@pytest.mark.parametrize("form", ["markdown", "html", "json", "csv", "junit", "prometheus", "badge", "summary"])
def test_each_format_goes_into_a_file(envcheck: Command, results: Path, form: str) -> None:
    ran = envcheck("report", "--format", form, "--output", "made", "--quiet", cwd=results)
    text = (results / "made").read_text(encoding="utf-8")

    assert (ran.code, ran.stdout, ran.stderr) == (0, "wrote made\n", "")
    if form == "json":
        assert sum(json.loads(text)["summary"].values()) == 3
    elif form == "csv":
        assert len(list(csv.reader(io.StringIO(text)))) == 4
    elif form in ("junit", "badge"):
        ET.fromstring(text)
    elif form == "prometheus":
        assert list(text_string_to_metric_families(text))
    else:
        assert "accelerated" in text or "✅" in text
    assert [path.name for path in results.iterdir() if path.name.endswith(".tmp")] == []


def test_cells_of_the_matrix_that_were_never_run_are_in_the_table(envcheck: Command, results: Path) -> None:
    (results / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    states: dict[str, list[str]] = {}
    for cell in (cell for table in report_of(envcheck, results)["tables"] for cell in table["cells"]):
        states.setdefault(cell["id"], []).append(cell["state"])

    assert states["venv-py3.11-mp0.10.21"] == ["untested", "untested"]
    assert states["venv-py3.11-mp1.0.0"] == ["impossible", "impossible"]
    assert sorted(states["venv-py3.11-mp1.2.2"]) == ["tested", "untested"]


def report_of(envcheck: Command, cwd: Path, *options: str) -> dict[str, list[dict[str, list[dict[str, str]]]]]:
    ran = envcheck("report", "--format", "json", *options, cwd=cwd)
    assert ran.code == 0, ran.stderr
    found: dict[str, list[dict[str, list[dict[str, str]]]]] = json.loads(ran.stdout)
    return found


def test_old_results_are_stale(envcheck: Command, results: Path) -> None:
    (table, *_) = report_of(envcheck, results, "--stale-days", "0.01")["tables"]

    assert {cell["state"] for cell in table["cells"]} == {"stale"}


def test_a_readme_is_updated_in_place_and_keeps_its_rights(envcheck: Command, results: Path) -> None:
    path = results / "README.md"
    path.write_text(f"# Mine\r\n\r\n{readme.BEGIN}\r\n{readme.END}\r\nrest", encoding="utf-8", newline="")
    path.chmod(0o640)
    first = envcheck("report", "--readme", "README.md", cwd=results)
    after = path.read_bytes()
    again = envcheck("report", "--readme", "README.md", cwd=results)

    assert (first.code, first.stdout) == (0, "README.md: the table is new\n")
    assert after.startswith(b"# Mine\r\n\r\n<!-- envcheck:table -->\r\n")
    assert after.endswith(b"<!-- /envcheck:table -->\r\nrest")
    assert again.stdout == "README.md: the table is as it was\n"
    assert path.read_bytes() == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_readme_without_markers_is_left_alone(envcheck: Command, results: Path) -> None:
    (results / "README.md").write_text("# Mine\n", encoding="utf-8")
    ran = envcheck("report", "--readme", "README.md", "--quiet", cwd=results)

    assert ran.code == 2
    assert "README.md: there is no line <!-- envcheck:table -->" in ran.stderr
    assert (results / "README.md").read_text() == "# Mine\n"


def test_an_archive_gives_history_and_the_change_in_it(envcheck: Command, archived: Path) -> None:
    summary = envcheck("report", "--history", str(archived), "--format", "summary", cwd=archived.parent)
    page = envcheck("report", "--history", str(archived), "--format", "html", cwd=archived.parent)

    assert summary.code == page.code == 0, summary.stderr + page.stderr
    assert "### Changes" in summary.stdout
    assert f"**regression** {FAST}" in summary.stdout
    assert "1 cell, as of" in page.stdout


def test_the_archive_in_a_results_folder_is_read_with_it(envcheck: Command, results: Path, archived: Path) -> None:
    archived.rename(results / ".envcheck" / "history.sqlite")

    cells = [cell for table in report_of(envcheck, results)["tables"] for cell in table["cells"]]
    assert len(cells) == 3


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 3, "there is nothing to report"),
        (("--format", "pdf"), 2, "--format 'pdf' is not one of markdown, html, json"),
        (("--out", "nowhere"), 2, "nowhere"),
        (("--history", "nowhere.sqlite"), 2, "nowhere.sqlite"),
        (("--readme", "x", "--format", "html"), 2, "--readme takes the Markdown table"),
        (("--stale-days", "0"), 2, "--stale-days 0.0 is not a number above 0"),
    ],
    ids=["nothing", "format", "folder", "archive", "readme", "days"],
)
def test_what_cannot_be_reported_says_why(
    envcheck: Command, tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    ran = envcheck("report", *options, "--quiet", cwd=tmp_path)

    assert ran.code == code
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_that_cannot_be_written_is_named(envcheck: Command, results: Path) -> None:
    ran = envcheck("report", "--output", "no/such/folder/file", "--quiet", cwd=results)

    assert ran.code == 2
    assert "cannot write no/such/folder/file: No such file or directory" in ran.stderr


def test_links_lead_from_the_written_file_to_the_evidence(envcheck: Command, results: Path) -> None:
    (results / "docs").mkdir()
    envcheck("report", "--output", "docs/table.md", cwd=results)
    text = (results / "docs" / "table.md").read_text(encoding="utf-8")

    assert f"(../.envcheck/evidence/{FAST}.json)" in text
    assert (results / "docs" / f"../.envcheck/evidence/{FAST}.json").exists()
