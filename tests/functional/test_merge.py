"""Many processes at one archive."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from envcheck import store
from envcheck.archive import digest_of, open_archive
from envcheck.conclude import conclude
from tests.children import child
from tests.functional.conftest import environment
from tests.golden import as_if_seen
from tests.waiting import PATIENCE_S

VERDICTS = ("refused", "broken", "crashed")
PROCESSES, TIMES = 8, 125
IMPORTS = """
import sys
from pathlib import Path
from envcheck.merge import merge
added = sum(merge([Path(sys.argv[1])], Path(sys.argv[2])).added for _ in range(int(sys.argv[3])))
print(added)
"""


@pytest.mark.timeout(1800)
def test_a_thousand_imports_from_eight_processes_at_once_are_one_row_each(tmp_path: Path) -> None:
    """A thousand imports of the same folder: eight processes that open, judge and add 125 times each."""
    evidence = [as_if_seen(verdict) for verdict in VERDICTS]
    store.publish(tmp_path / "night", conclude(evidence), evidence, {})
    target = tmp_path / "new" / "history.sqlite"
    argv = [sys.executable, "-c", IMPORTS, str(tmp_path / "night"), str(target), str(TIMES)]
    with ExitStack() as stack:
        started = [
            stack.enter_context(child(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            for _ in range(PROCESSES)
        ]
        said = [one.communicate(timeout=1500) for one in started]
    assert [one.returncode for one in started] == [0] * PROCESSES, said
    assert sum(int(out) for out, _ in said) == len(VERDICTS)
    with open_archive(target, readonly=True) as archive:
        assert sorted(entry.digest for entry in archive.entries()) == sorted(map(digest_of, evidence))
        assert archive.rows("PRAGMA integrity_check") == [("ok",)]
        assert archive.rows("SELECT count(*) FROM evidence") == [(len(VERDICTS),)]


@pytest.mark.root
def test_an_archive_in_a_folder_that_cannot_be_written_is_read_and_not_written(tmp_path: Path) -> None:
    evidence = as_if_seen("refused")
    folder = tmp_path / "night"
    store.publish(folder, conclude([evidence]), [evidence], {})
    program = f"{sys.executable} -m envcheck"
    script = f"""
set -e
mount -t tmpfs none {tmp_path}/there 2>/dev/null
cd {tmp_path}/there
{program} merge {folder} >/dev/null
mount -o remount,ro {tmp_path}/there
{program} history | grep refused
{program} merge {folder} && exit 1 || echo "code $?"
"""
    (tmp_path / "there").mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script], capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        env=environment({"PATH": os.environ["PATH"]}),
    )  # fmt: skip
    assert "code 2" in done.stdout, done.stdout + done.stderr
    assert "cannot be opened or written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.root
def test_a_full_disk_is_told_and_what_was_stored_stays(tmp_path: Path) -> None:
    evidence = [as_if_seen(verdict) for verdict in (*VERDICTS, "accelerated", "emulated")]
    store.publish(tmp_path / "night", conclude(evidence), evidence, {})
    (tmp_path / "there").mkdir()
    program = f"{sys.executable} -m envcheck"
    script = f"""
mount -t tmpfs -o size=300k none {tmp_path}/there
cd {tmp_path}/there
{program} merge {tmp_path}/night/evidence/*0.10.33* >/dev/null && echo stored
head -c 1M /dev/zero > filler 2>/dev/null
{program} merge {tmp_path}/night; echo "code $?"
rm filler
{program} history; {program} merge {tmp_path}/night; echo "code $?"
"""
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script], capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        env=environment({"PATH": os.environ["PATH"]}),
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "the disk is full" in done.stderr, done.stdout + done.stderr
    assert "code 4" in done.stdout
    assert done.stdout.rstrip().endswith("code 0"), done.stdout + done.stderr
