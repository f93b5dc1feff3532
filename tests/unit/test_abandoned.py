"""Which runs of engines nobody follows any more, and what keeps a folder from being taken for one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from envcheck.engines.abandoned import Abandoned, abandoned_runs, remove
from envcheck.engines.holding import FORGOTTEN_S, HELD, alone
from envcheck.engines.kubernetes.kept import Begun, Kept
from envcheck.engines.slurm.folder import Folder, Sent
from envcheck.errors import UsageError
from envcheck.outcomes import Completed
from envcheck.prune import Asked, prune
from envcheck.pruned import Item
from envcheck.report.prune import render

RUN = "0123456789abcdef"
NONCE = "feedface" * 4
JOB = f"envcheck-{RUN}-feedface-0"
LONG_AGO = time.time() - 2 * FORGOTTEN_S
SENT = Sent(number=0, tasks=((0,),), sent_at=LONG_AGO, id="7")


def slurm_run(place: Path, begun_at: float = LONG_AGO, *jobs: Sent) -> Path:
    folder = Folder(place / RUN)
    folder.path.mkdir(parents=True)
    folder.write(msgspec.structs.replace(folder.begin(RUN), begun_at=begun_at, jobs=jobs, nonce=NONCE))
    return folder.path


def kubernetes_run(place: Path, begun_at: float = LONG_AGO) -> Path:
    kept = Kept(place / RUN)
    kept.begin(Begun(nonce="n", begun_at=begun_at))
    kept.put(0, b"{}")
    return kept.path


def squeue(answer: str, code: int = 0) -> Callable[..., Completed]:
    def run(argv: list[str], **_: object) -> Completed:
        return Completed(argv=tuple(argv), returncode=code, stdout=answer.encode(), stderr=b"Unable to contact")

    return run


def never(*_: object, **__: object) -> Completed:
    raise AssertionError("nothing was to be asked")


def found(out: Path, run: Callable[..., Completed] = never, *folders: Path) -> list[Abandoned]:
    return list(abandoned_runs(out, folders, {}, run))


def test_runs_of_long_ago_go_wherever_they_are(tmp_path: Path) -> None:
    paths = [kubernetes_run(tmp_path / "kubernetes"), slurm_run(tmp_path / "slurm"), slurm_run(tmp_path / "shared")]
    runs = found(tmp_path, never, tmp_path / "shared", tmp_path / "slurm")
    assert [(one.path, one.kept, one.begun) for one in runs] == [(path, "", LONG_AGO) for path in paths]
    assert [remove(one) for one in runs] == ["", "", ""]
    assert not [path for path in paths if path.exists()]


def test_one_that_the_same_command_goes_on_with_stays(tmp_path: Path) -> None:
    slurm_run(tmp_path / "slurm", time.time() - 60)
    kubernetes_run(tmp_path / "kubernetes", time.time() - 60)
    assert all("goes on with it" in one.kept for one in found(tmp_path))


def test_one_that_is_followed_stays_and_is_not_removed_where_it_is_followed_only_now(tmp_path: Path) -> None:
    path = kubernetes_run(tmp_path / "kubernetes")
    (before,) = found(tmp_path)
    with alone(path, "pods"):
        (while_followed,) = found(tmp_path)
        assert "follows it" in remove(before)
    assert (before.kept, "follows it" in while_followed.kept) == ("", True)
    assert (path / "deliveries" / "0.json").exists()


def test_looking_makes_no_lock(tmp_path: Path) -> None:
    path = kubernetes_run(tmp_path / "kubernetes")
    found(tmp_path)
    assert not (path / HELD).exists()


@pytest.mark.parametrize(
    ("answer", "code", "kept"),
    [
        (f"{JOB}|7|0|RUNNING|n1|None", 0, "scancel 7"),
        (f"{JOB}|7|0|COMPLETED|n1|None", 0, ""),
        (f"{JOB}|7|0|CANCELLED by 0|n1|None", 0, ""),
        ("", 0, ""),
        ("", 1, "cannot be asked of Slurm: Unable to contact"),
    ],
)
def test_what_slurm_still_has_keeps_a_run_and_so_does_a_slurm_that_does_not_answer(
    tmp_path: Path, answer: str, code: int, kept: str
) -> None:
    slurm_run(tmp_path / "slurm", LONG_AGO, SENT)
    (one,) = found(tmp_path, squeue(answer, code))
    assert kept in one.kept
    assert bool(kept) == bool(one.kept)


def test_jobs_that_were_cancelled_are_not_asked_for(tmp_path: Path) -> None:
    slurm_run(tmp_path / "slurm", LONG_AGO, msgspec.structs.replace(SENT, cancelled=True))
    assert [one.kept for one in found(tmp_path)] == [""]


def test_what_is_no_run_of_ours_stays(tmp_path: Path) -> None:
    (kubernetes_run(tmp_path / "kubernetes") / "thesis.tex").touch()
    (tmp_path / "slurm" / "my-own-folder").mkdir(parents=True)
    (tmp_path / "slurm" / RUN).symlink_to(tmp_path / "kubernetes" / RUN)
    (one,) = found(tmp_path)
    assert "thesis.tex" in one.kept


def test_damaged_state_of_a_run_in_slurm_keeps_it_because_its_jobs_are_not_known(tmp_path: Path) -> None:
    (slurm_run(tmp_path / "slurm", LONG_AGO, SENT) / "run.json").write_text("nonsense")
    assert ["which jobs" in one.kept for one in found(tmp_path)] == [True]


@pytest.mark.parametrize("text", [None, "nonsense", '{"schema": "envcheck.slurm/1"}'])
def test_one_whose_state_is_gone_or_damaged_is_no_run_to_go_on_with(tmp_path: Path, text: str | None) -> None:
    path = kubernetes_run(tmp_path / "kubernetes")
    (path / "run.json").unlink() if text is None else (path / "run.json").write_text(text)
    (path / f".run.json.{'a' * 8}").touch()
    assert [one.kept for one in found(tmp_path)] == [""]


# --- as `envcheck prune` has them ----------------------------------------------------------------------------------


def pruned(out: Path, **asked: object) -> tuple[list[Item], str]:
    given = Asked(out=out, **asked)  # type: ignore[arg-type]
    survey = prune(out / "no-cache", given, {"HOME": "/home/me", "PATH": ""})
    return [item for item in survey.items if item.kind == "run"], render(survey, yes=given.yes)


def test_prune_lists_first_and_removes_when_it_is_told(tmp_path: Path) -> None:
    path = kubernetes_run(tmp_path / "kubernetes")
    ((listed,), text) = pruned(tmp_path)
    assert (listed.name, listed.kept, listed.removed, listed.bytes) == (str(path), "", False, listed.frees)
    assert listed.bytes
    assert "Nothing was removed" in text
    assert pruned(tmp_path, older_than=3)[0][0].kept == "used within 3 days"
    assert pruned(tmp_path, backend="venv")[0] == []
    assert path.exists()

    ((gone,), text) = pruned(tmp_path, yes=True)
    assert gone.removed
    assert "in the folders of runs" in text
    assert not path.exists()


def test_a_shared_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--shared"):
        pruned(tmp_path, shared=(tmp_path / "nowhere",))


def test_a_run_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes_run(tmp_path / "kubernetes")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert [one.kept for one in found(tmp_path)] == ["it is another user's"]
