"""The Slurm engine on a real Slurm, whatever happens to its nodes, its controller, its folder or to us.

Most cells are run by a stand-in, because what is tested is the engine; one is a real cell of MediaPipe.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import slurmcluster
from tests.children import child
from tests.functional.conftest import environment
from tests.slurmcluster import Cluster, Node
from tests.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]

NODES = (
    Node("n1", "driver-560,fast"),
    Node("n2", "driver-560.35.03,fast"),
    Node("n3", "driver-550.54.15", gpus=0, partition="old"),
    Node("n4", "driver-470"),
    Node("n5", "driver-535"),
)
STAND_IN = shlex.join([sys.executable, str(Path(__file__).with_name("stand_in.py"))])
DEADLINE_S = 600
"""Only a hang takes this long."""

Running = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with slurmcluster.running(NODES) as cluster:
        yield cluster


@dataclass
class Fleet:
    """A user's folder, with a matrix of cells that a stand-in runs."""

    cluster: Cluster
    folder: Path
    options: dict[str, str] = field(default_factory=lambda: {"command": STAND_IN, "settle": "1"})
    env: dict[str, str] = field(default_factory=dict)

    def matrix(self, cells: int, *drivers: str) -> None:
        """So many cells for each driver."""
        listed = ", ".join(f'"{number}"' for number in range(1, cells + 1))
        axes = f'python: ["3.11"], mediapipe: ["1.2.2"], opencv: [{listed}], driver: {json.dumps(drivers)}'
        self.write(f"version: 1\naxes: {{{axes}}}\n")

    def write(self, text: str) -> None:
        """The matrix."""
        (self.folder / "matrix.yaml").write_text(text, encoding="utf-8")

    @contextmanager
    def start(self, *more: str, **options: str) -> Iterator[Running]:
        """`envcheck validate` on the cluster, gone at the end of a `with` block."""
        settings = [f"--engine-option={key}={value}" for key, value in (self.options | options).items()]
        env = {**self.cluster.env, "STAND_IN_LOG": str(self.folder / "log"), **self.env}
        argv = [sys.executable, "-m", "envcheck", "validate", "--engine", "slurm", *settings, *more]
        with (
            (self.folder / "stderr").open("ab") as stderr,
            child(argv, cwd=self.folder, env=environment(env), stdout=subprocess.DEVNULL, stderr=stderr) as running,
        ):
            yield running

    def run(self, *more: str, **options: str) -> int:
        """The same, to its end; the exit code."""
        with self.start(*more, **options) as running:
            return ended(running)

    @property
    def stderr(self) -> str:
        """What was told so far."""
        path = self.folder / "stderr"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def rows(self) -> dict[str, tuple[str, str]]:
        """Verdict and reason of each cell."""
        return rows_in(self.folder / ".envcheck")

    @property
    def executed(self) -> Counter[str]:
        """How often each cell was run."""
        return Counter(line.split()[0] for line in self.logged)

    @property
    def nodes(self) -> dict[str, str]:
        """The node that each cell was run on last."""
        return dict(line.split() for line in self.logged)

    @property
    def logged(self) -> list[str]:
        """A line for each time a cell was run."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def hold(self, *, free: int = 0) -> None:
        """From now on no cell ends but the first so many, until they are let go."""
        self.env = {"STAND_IN_UNTIL": str(self.folder / "go"), "STAND_IN_FREE": str(free)}

    def let_go(self) -> None:
        """Cells may end."""
        (self.folder / "go").touch()

    @property
    def shared(self) -> Path:
        """The folder of the only run."""
        (found,) = (self.folder / ".envcheck" / "slurm").iterdir()
        return found


def rows_in(out: Path) -> dict[str, tuple[str, str]]:
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    rows = {cell["id"]: (cell["verdict"], cell["because"]) for cell in results["cells"]}
    assert len(rows) == len(results["cells"])
    return rows


def ended(running: Running) -> int:
    return running.wait(DEADLINE_S)


@pytest.fixture(scope="module", autouse=True)
def overtime(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Running]]:
    """A run whose job goes beyond its time limit while other tests run: Slurm's limits are minutes."""
    fleet = Fleet(cluster, tmp_path_factory.mktemp("overtime"))
    fleet.matrix(1, "470")
    fleet.env = {"STAND_IN_S": "1200"}
    with fleet.start(time="1") as running:
        yield fleet, running


@pytest.fixture
def fleet(cluster: Cluster, tmp_path: Path) -> Fleet:
    return Fleet(cluster, tmp_path)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Fleet]:
    """On a cluster of its own, because what is done to its controller may leave nodes drained.

    It takes no node for lost that waits for a controller which hangs.
    """
    with slurmcluster.running(NODES[:2], silence_s=60) as cluster:
        yield Fleet(cluster, tmp_path)


def broken_by_stand_in(rows: Mapping[str, tuple[str, str]]) -> bool:
    return all(verdict == "broken" and "a stand-in on n" in because for verdict, because in rows.values())


# --- where cells run ------------------------------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.software_gl
def test_a_real_cell_has_the_verdict_that_it_has_here(fleet: Fleet, cache: Path) -> None:
    fleet.write('version: 1\naxes: {python: ["3.11"], mediapipe: ["1.2.2"]}\ngate: {max_seconds: 5}\n')
    fleet.options = {"settle": "1"}
    fleet.env = {"ENVCHECK_CACHE": str(cache)}
    code = fleet.run()
    there = fleet.rows
    here = subprocess.run(
        [sys.executable, "-m", "envcheck", "validate", "--out", "here"], cwd=fleet.folder,
        env=environment(fleet.env), capture_output=True, check=False, timeout=DEADLINE_S,
    )  # fmt: skip

    assert there == rows_in(fleet.folder / "here")
    assert next(iter(there.values()))[0] == "refused"
    assert code == here.returncode == 1


def test_the_feature_of_its_driver_leads_a_cell_to_its_node(fleet: Fleet) -> None:
    fleet.matrix(1, "560.35", "550", "any")
    code = fleet.run()

    assert code == 1
    assert broken_by_stand_in(fleet.rows)
    assert {cell.rpartition("-r")[2].partition("-")[0]: node for cell, node in fleet.nodes.items()} == {
        "560.35": "n2", "550": "n3", "any": fleet.nodes["venv-py3.11-mp1.2.2-rany-cv1"],
    }  # fmt: skip
    assert not list((fleet.folder / ".envcheck" / "slurm").iterdir())


def test_a_feature_of_another_name_is_an_option(fleet: Fleet) -> None:
    fleet.matrix(1, "999")

    assert fleet.run(**{"driver.999": "driver-535"}) == 1
    assert set(fleet.nodes.values()) == {"n5"}


def test_features_that_every_node_must_have_go_with_several_of_a_driver(fleet: Fleet) -> None:
    """More than one feature tells of the driver: Slurm takes them in brackets."""
    fleet.matrix(2, "560")

    assert fleet.run(constraint="fast", batch="1") == 1
    assert broken_by_stand_in(fleet.rows)
    assert set(fleet.nodes.values()) <= {"n1", "n2"}


def test_cells_that_no_partition_can_serve_are_named_without_waiting(fleet: Fleet) -> None:
    fleet.matrix(1, "600", "550")
    code = fleet.run(partition="main")
    reasons = [because for _, because in fleet.rows.values()]

    assert code == 3
    assert {verdict for verdict, _ in fleet.rows.values()} == {"unreachable"}
    assert reasons[0].startswith("needs driver 600, and no node in partition main has the feature driver-600")
    assert reasons[1].startswith("needs driver 550, and no node in partition main has the feature driver-550")
    assert not fleet.logged


def test_the_cluster_is_shown_with_what_it_can_serve_and_what_is_missing(fleet: Fleet) -> None:
    fleet.matrix(1, "560", "550.54.15", "580")
    argv = [sys.executable, "-m", "envcheck", "fleet", "--engine", "slurm", "--json"]
    done = subprocess.run(
        argv, cwd=fleet.folder, env=environment(fleet.cluster.env), capture_output=True, timeout=DEADLINE_S, check=False
    )
    found = json.loads(done.stdout)

    assert (done.returncode, found["summary"]["served"], found["summary"]["unserved"]) == (1, 2, 1)
    assert [one["driver"] for one in found["missing"]] == ["580"]
    assert {name for group in found["groups"] for name in group["names"]} == {node.name for node in NODES}


def test_what_slurm_refuses_is_unknown_with_its_words(fleet: Fleet) -> None:
    fleet.matrix(2, "560")
    code = fleet.run(gres="gpu:7")

    assert code == 75
    assert {verdict for verdict, _ in fleet.rows.values()} == {"unknown"}
    assert all("sbatch refused" in because for _, because in fleet.rows.values()), fleet.rows
    assert "again: --select" in fleet.stderr


# --- faults ---------------------------------------------------------------------------------------------------------


def until_running(fleet: Fleet, cells: int = 1) -> None:
    wait_until(lambda: len(fleet.logged) >= cells, lambda: f"{cells} cells to run; {fleet.stderr}")


def test_a_node_that_is_killed_gives_its_cells_to_another(fleet: Fleet, cluster: Cluster) -> None:
    fleet.matrix(4, "560")
    fleet.hold()
    with fleet.start(batch="2") as running:
        wait_until(lambda: {"n1", "n2"} <= set(fleet.nodes.values()), lambda: f"both nodes to work; {fleet.stderr}")
        cluster.kill("n2")
        fleet.let_go()
        code = ended(running)
    cluster.revive("n2")
    counts = fleet.executed

    assert code == 1
    assert len(fleet.rows) == 4
    assert broken_by_stand_in(fleet.rows)
    assert max(counts.values()) == 2
    assert "again: the job was killed or lost its node on node n2" in fleet.stderr
    assert set(fleet.nodes.values()) == {"n1"}


def test_a_node_that_is_lost_too_often_leaves_its_cell_unknown(fleet: Fleet, cluster: Cluster) -> None:
    fleet.matrix(1, "535")
    fleet.hold()
    with fleet.start(requeue="0") as running:
        until_running(fleet)
        cluster.kill("n5")
        code = ended(running)
    cluster.revive("n5")
    ((verdict, because),) = fleet.rows.values()

    assert code == 75
    assert verdict == "unknown"
    assert because.startswith("the job was killed or lost its node on node n5 (NODE_FAIL)")


def test_a_controller_that_is_restarted_changes_nothing(fleet: Fleet, cluster: Cluster) -> None:
    fleet.matrix(4, "560")
    fleet.env = {"STAND_IN_S": "2"}
    with fleet.start(batch="2") as running:
        until_running(fleet)
        cluster.end("slurmctld")
        time.sleep(3)
        cluster.start_controller()
        code = ended(running)

    assert code == 1
    assert broken_by_stand_in(fleet.rows)
    assert fleet.executed == Counter(dict.fromkeys(fleet.rows, 1))


def are_true(rows: Mapping[str, tuple[str, str]]) -> bool:
    """What a stand-in saw; or unknown, where a controller that has just come back cancels what it cannot launch."""
    return all(
        (verdict == "broken" and "a stand-in on n" in because) or (verdict == "unknown" and "(CANCELLED)" in because)
        for verdict, because in rows.values()
    )


def alive(cluster: Cluster) -> list[str]:
    """The names of jobs that wait or run."""
    return cluster.ask("squeue", "--noheader", "--format=%j").split()


def test_a_controller_that_is_killed_amid_everything_leaves_every_cell_with_a_true_verdict(own: Fleet) -> None:
    """It goes on with what it had written down."""
    own.matrix(6, "560")
    own.env = {"STAND_IN_S": "3"}
    with own.start(batch="2") as running:
        until_running(own)
        time.sleep(6)  # its state is written every few seconds
        own.cluster.kill("slurmctld")
        time.sleep(3)
        own.cluster.start_controller()
        code = ended(running)

    assert code in (1, 75), f"{own.rows} {own.stderr}"
    assert len(own.rows) == 6
    assert are_true(own.rows)
    assert max(own.executed.values()) <= 2
    wait_until(lambda: not alive(own.cluster), "all jobs to be gone")


def test_a_controller_that_is_killed_and_forgets_everything_loses_no_row(own: Fleet) -> None:
    """Cells are sent again, under numbers that were given away before."""
    own.matrix(2, "560")
    own.env = {"STAND_IN_S": "3"}
    with own.start(batch="1") as running:
        until_running(own)
        own.cluster.kill("slurmctld")
        for kept in (own.cluster.folder / "state").glob("*job_state*"):
            kept.unlink()
        own.cluster.start_controller()
        code = ended(running)

    assert code in (1, 75), f"{own.rows} {own.stderr}"
    assert len(own.rows) == 2
    assert are_true(own.rows)
    wait_until(lambda: not alive(own.cluster), "all jobs to be gone")


def test_a_job_that_a_hanging_controller_took_without_an_answer_is_sent_once(own: Fleet) -> None:
    """sbatch gives up, squeue is not answered either, and only then the controller reads what it was sent."""
    own.matrix(2, "560")
    pid, sent, unanswered = (own.cluster.daemons["slurmctld"].pid, own.folder / "sent", own.folder / "unanswered")
    program(own, "sbatch", f'echo >>{sent}; [ $(wc -l <{sent}) -gt 1 ] || kill -STOP {pid}; exec {{real}} "$@"')
    program(own, "squeue", f'{{real}} "$@" || {{{{ code=$?; echo >>{unanswered}; exit $code; }}}}')
    try:
        with own.start(batch="1") as running:
            wait_until(lambda: sent.exists() and unanswered.exists(), lambda: f"both to be silent; {own.stderr}")
            os.kill(pid, signal.SIGCONT)
            code = ended(running)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert code in (1, 75), f"{own.rows} {own.stderr}"
    assert (own.folder / "sent").read_text().count("\n") == 1
    assert "Slurm does not answer: " in own.stderr
    assert len(own.rows) == 2
    assert are_true(own.rows)
    assert max(own.executed.values(), default=0) <= 1


def test_a_job_that_was_taken_by_a_controller_that_died_before_it_answered_is_sent_once(own: Fleet) -> None:
    """Nobody tells whether there is such a job until the controller is up again: that is not none."""
    own.matrix(2, "560")
    pid, sent, unanswered = (own.cluster.daemons["slurmctld"].pid, own.folder / "sent", own.folder / "unanswered")
    state = own.cluster.folder / "state" / "job_state"
    own.hold()
    # It is killed once it has written the job down.
    program(
        own, "sbatch",
        f'echo >>{sent}; [ $(wc -l <{sent}) = 1 ] || exec {{real}} "$@"; {{real}} "$@" >/dev/null\n'
        f"until grep -q envcheck- {state} 2>/dev/null; do sleep 0.1; done; kill -KILL {pid}\n"
        "echo sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received >&2; exit 1",
    )  # fmt: skip
    program(own, "squeue", f'{{real}} "$@" || {{{{ code=$?; echo >>{unanswered}; exit $code; }}}}')
    with own.start(batch="1") as running:
        own.cluster.daemons.pop("slurmctld").wait(DEADLINE_S)
        wait_until(unanswered.exists, lambda: f"squeue to be silent; {own.stderr}")
        own.cluster.start_controller()
        own.let_go()
        code = ended(running)

    assert code in (1, 75), f"{own.rows} {own.stderr}"
    assert (own.folder / "sent").read_text().count("\n") == 1
    assert len(own.rows) == 2
    assert are_true(own.rows)
    assert max(own.executed.values(), default=0) <= 1


def program(fleet: Fleet, name: str, script: str) -> None:
    """A script in front of one of Slurm's programs, which it knows as `{real}`."""
    folder = fleet.folder / "programs"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script.format(real=shutil.which(name))}\n", encoding="utf-8")
    (folder / name).chmod(0o755)
    fleet.env["PATH"] = f"{folder}:{os.environ['PATH']}"


def test_the_same_command_again_is_a_run_of_its_own(fleet: Fleet) -> None:
    """Slurm still knows the tasks of the run before, which have ended."""
    fleet.matrix(2, "560")
    fleet.env = {"STAND_IN_S": "3"}

    for count in (1, 2):
        assert fleet.run() == 1, f"{fleet.rows} {fleet.stderr}"
        assert broken_by_stand_in(fleet.rows)
        assert fleet.executed == Counter(dict.fromkeys(fleet.rows, count))


def test_ctrl_c_while_the_controller_hangs_says_what_is_left_and_the_next_call_ends_it(own: Fleet) -> None:
    own.matrix(2, "560.35")
    own.hold()
    pid = own.cluster.daemons["slurmctld"].pid
    with own.start(batch="2") as running:
        until_running(own)
        os.kill(pid, signal.SIGSTOP)
        try:
            running.send_signal(signal.SIGINT)
            code = ended(running)
        finally:
            os.kill(pid, signal.SIGCONT)
    (name,) = re.findall(r"scancel --name=(\S+)", own.stderr)

    assert code == 130
    wait_until(lambda: name in alive(own.cluster), f"job {name} to be seen")
    own.env = {}
    assert own.run(batch="2") == 1, own.stderr
    assert broken_by_stand_in(own.rows)
    wait_until(lambda: not alive(own.cluster), "all jobs to be gone")


def test_a_munge_that_is_down_is_said_at_once_and_is_silence(own: Fleet) -> None:
    own.matrix(1, "560")
    own.cluster.end("munge")
    try:
        code = own.run(patience="0.02")
        offered = subprocess.run(
            [sys.executable, "-m", "envcheck", "fleet", "--engine", "slurm", "--engine-option", "patience=0.02"],
            cwd=own.folder, env=environment(own.cluster.env), capture_output=True, timeout=DEADLINE_S, check=False,
            text=True,
        )  # fmt: skip
    finally:
        own.cluster.start_munge()
    ((verdict, because),) = own.rows.values()

    assert (code, verdict, offered.returncode, offered.stdout) == (75, "unknown", 75, "")
    assert "unge" in because
    assert "Slurm does not answer: " in own.stderr
    assert "Slurm has not answered for 0.02 min" in offered.stderr


def test_envcheck_killed_and_started_again_finds_its_jobs(fleet: Fleet) -> None:
    fleet.matrix(6, "560")
    fleet.env = {"STAND_IN_S": "1.5"}
    with fleet.start(batch="3") as running:
        until_running(fleet, 3)
        running.send_signal(signal.SIGKILL)
        ended(running)
    run = fleet.shared.name
    time.sleep(1.5)
    code = fleet.run("--resume", run, batch="3")

    assert code == 1
    assert len(fleet.rows) == 6
    assert broken_by_stand_in(fleet.rows)
    assert fleet.executed == Counter(dict.fromkeys(fleet.rows, 1))


def test_killed_while_it_sends_it_finds_the_job_by_its_name(fleet: Fleet, cluster: Cluster) -> None:
    """The state says that a job was to be sent, and not that it was."""
    fleet.matrix(2, "560")
    fleet.env = {"STAND_IN_S": "3"}
    with fleet.start() as running:
        until_running(fleet)
        state = fleet.shared / "run.json"
        wait_until(lambda: "id" in json.loads(state.read_text(encoding="utf-8"))["jobs"][0], "the job's number")
        running.send_signal(signal.SIGKILL)
        ended(running)
    kept = json.loads(state.read_text(encoding="utf-8"))
    assert kept["jobs"][0].pop("id")
    state.write_text(json.dumps(kept), encoding="utf-8")

    assert fleet.run() == 1
    assert fleet.executed == Counter(dict.fromkeys(fleet.rows, 1))


def test_what_a_killed_run_left_is_pruned_once_its_jobs_are_gone(fleet: Fleet, cluster: Cluster) -> None:
    fleet.matrix(1, "560")
    fleet.hold()
    with fleet.start() as running:
        until_running(fleet)
        followed = pruned(fleet)
        running.send_signal(signal.SIGKILL)
        ended(running)
    run, young = fleet.shared, pruned(fleet)
    state = json.loads((run / "run.json").read_text(encoding="utf-8"))
    name = f"envcheck-{run.name}-{state['nonce'][:8]}-0"
    (run / "run.json").write_text(json.dumps(state | {"begun_at": state["begun_at"] - 2 * 86400}), encoding="utf-8")
    queued = pruned(fleet)
    cluster.ask("scancel", f"--name={name}")
    wait_until(lambda: name not in cluster.ask("squeue", "--noheader", "--format=%j"), "the job to be gone")
    listed, there, removed = pruned(fleet), run.exists(), pruned(fleet, "--yes")

    assert [one["kept"][:20] for one in (followed, young, queued)] == [
        "a run goes on that follows it"[:20], "the same command goes on"[:20], "its jobs are in Slurm's queue"[:20]
    ]  # fmt: skip
    assert (listed.get("kept", ""), there) == ("", True)
    assert removed["removed"]
    assert not run.exists()


def pruned(fleet: Fleet, *more: str) -> dict[str, Any]:
    """What `envcheck prune` says of the only run."""
    argv = [sys.executable, "-m", "envcheck", "prune", "--json", *more]
    env = environment({**fleet.cluster.env, "ENVCHECK_CACHE": str(fleet.folder / "no-cache")})
    done = subprocess.run(argv, cwd=fleet.folder, env=env, capture_output=True, check=True)
    (found,) = (item for item in json.loads(done.stdout)["items"] if item["kind"] == "run")
    return dict(found)


def test_ctrl_c_cancels_keeps_what_was_finished_and_the_next_call_does_the_rest(fleet: Fleet, cluster: Cluster) -> None:
    fleet.matrix(4, "560.35")
    fleet.hold(free=1)
    with fleet.start(batch="4") as running:
        wait_until(lambda: "1 of 4 cells are done" in fleet.stderr, lambda: f"a cell to be done; {fleet.stderr}")
        running.send_signal(signal.SIGINT)
        code = ended(running)
    fleet.let_go()
    wait_until(lambda: not alive(cluster), "the job to be gone")
    kept = rows_in(fleet.folder / ".envcheck" / "interrupted")

    assert code == 130
    assert broken_by_stand_in(kept)
    assert fleet.run(batch="4") == 1
    assert len(fleet.rows) == 4
    assert broken_by_stand_in(fleet.rows)
    assert all(fleet.executed[cell] == 1 for cell in kept)


def test_a_cell_over_its_limit_is_unknown_and_holds_no_other_up(fleet: Fleet) -> None:
    fleet.matrix(2, "535")
    fleet.hold()
    code = fleet.run(minutes="0.03", batch="2")

    assert code == 75
    assert all(verdict == "unknown" for verdict, _ in fleet.rows.values())
    assert all("the cell took longer than its 0.03 min on node n5" in because for _, because in fleet.rows.values())


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system with hardly any room."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)


def fill(folder: Path) -> None:
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_shared_folder_that_fills_up_loses_no_row(fleet: Fleet, small: Path) -> None:
    fleet.matrix(2, "560")
    fleet.hold()
    with fleet.start(folder=str(small), requeue="1") as running:
        until_running(fleet, 2)
        fill(small)
        fleet.let_go()
        code = ended(running)

    assert code == 75
    assert len(fleet.rows) == 2
    assert {verdict for verdict, _ in fleet.rows.values()} == {"unknown"}


def test_a_shared_folder_that_is_full_from_the_start_is_one_message(fleet: Fleet, small: Path) -> None:
    fleet.matrix(2, "560")
    fill(small)

    assert fleet.run(folder=str(small)) == 2
    assert f"the shared folder {small}" in fleet.stderr
    assert "No space left on device" in fleet.stderr
    assert not fleet.logged


def test_a_cell_that_is_delivered_twice_counts_once(fleet: Fleet, cluster: Cluster) -> None:
    """Another job works on the same task at the same time, as one that was taken for lost may do."""
    fleet.matrix(2, "560")
    fleet.hold()
    with fleet.start(batch="2") as running:
        until_running(fleet)
        shared = fleet.shared
        again = ["sbatch", "--array=0-0", "--output=/dev/null", "--constraint=driver-560|driver-560.35.03"]
        env = environment({**cluster.env, **fleet.env, "STAND_IN_LOG": str(fleet.folder / "log")})
        worker = [str(shared / "batch.sh"), str(shared), "0", "600", *shlex.split(STAND_IN)]
        subprocess.run([*again, *worker], env=env, check=True, capture_output=True)
        wait_until(lambda: max(fleet.executed.values()) == 2, "a cell to be run twice")
        fleet.let_go()
        code = ended(running)

    assert code == 1
    assert broken_by_stand_in(fleet.rows)
    assert max(fleet.executed.values()) == 2


def test_a_delivery_of_another_run_is_refused(fleet: Fleet) -> None:
    fleet.matrix(1, "560")
    fleet.env = {"STAND_IN_FORGE": "1"}
    code = fleet.run()
    ((verdict, because),) = fleet.rows.values()

    assert (code, verdict) == (75, "unknown")
    assert because.startswith("what the worker delivered was refused: it is of another nonce")


def test_two_that_follow_one_run_are_one_too_many(fleet: Fleet) -> None:
    fleet.matrix(1, "560")
    fleet.hold()
    with fleet.start() as first:
        until_running(fleet)
        assert fleet.run() == 75
        assert "another envcheck follows the run" in fleet.stderr
        fleet.let_go()
        assert ended(first) == 1
    assert fleet.executed == Counter(dict.fromkeys(fleet.rows, 1))


def test_a_host_without_slurm_says_so(fleet: Fleet) -> None:
    fleet.matrix(1, "560")
    fleet.env = {"PATH": "/nowhere"}

    assert fleet.run() == 2
    assert "Slurm's sinfo could not start" in fleet.stderr


def test_a_job_over_its_time_limit_leaves_the_cell_that_ran_unknown(overtime: tuple[Fleet, Running]) -> None:
    fleet, running = overtime
    code = ended(running)
    ((verdict, because),) = fleet.rows.values()

    assert code == 75
    assert verdict == "unknown"
    assert because == "the job was ended at its time limit on node n4 (TIMEOUT)"
