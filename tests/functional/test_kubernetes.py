"""The Kubernetes engine with the official client, against an API server that is a script: whatever becomes of pods,
of the watch, of the server or of us. No cluster was ever asked.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envcheck.engines import plans
from envcheck.engines.dispatch import Gathered, dispatch
from envcheck.engines.engine import Change, Run, Work
from envcheck.engines.kubernetes import engine as kubernetes
from envcheck.engines.kubernetes.engine import KubernetesEngine, make
from envcheck.engines.local import InterruptedJobError
from envcheck.engines.packing import LOG_LIMIT, packed
from envcheck.errors import InfrastructureError, UsageError
from envcheck.report.progress import Progress
from tests import apiserver
from tests.apiserver import OK, OVERDUE, RUNNING, Object, Server, evicted, failed, serving, unscheduled, waiting
from tests.children import child
from tests.functional.conftest import environment
from tests.inprocess import ended
from tests.unit.fleet import HOST, delivered, work_of
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.kubernetes

IMAGE = f"registry.example/envcheck@sha256:{'a' * 64}"
A, B, C = work_of("1.2.2"), work_of("1.1.0"), work_of("1.2.1", driver="560")
RUN = "0123456789abcdef"
MATRIX = 'version: 1\naxes: {python: ["3.11"], mediapipe: ["1.2.2", "1.2.1"], driver: [any]}\n'
QUICK = {"image": IMAGE, "wait": "0.01", "patience": "1"}
WATCH_S = 0.1
"""What a watch takes by the engine's clock."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits as a user does, nor gives up because this machine is slow: time goes on with each watch."""
    watches, watched = itertools.count(), KubernetesEngine.watched
    now = [next(watches)]

    def counted(engine: KubernetesEngine, version: str) -> Iterator[Change]:
        now[0] = next(watches)
        return watched(engine, version)

    monkeypatch.setattr(KubernetesEngine, "watched", counted)
    monkeypatch.setattr(kubernetes, "time", SimpleNamespace(monotonic=lambda: now[0] * WATCH_S))
    monkeypatch.setattr(kubernetes, "LEAST_S", 0.02)
    monkeypatch.setattr(kubernetes, "SHORTEST_S", 0.02)


def well(plan: str) -> bytes:
    """The log of a worker that delivers."""
    asked = plans.read_plan(plan.encode(), "plan")
    return ("a line of something else\n" + "\n".join(packed(delivered(asked))) + "\n").encode()


def by_index(scripts: Mapping[int, Sequence[Sequence[Object | str]]]) -> apiserver.Script:
    """Of each index what becomes of its tries; the last of them again and again; others do well."""

    def script(index: int, attempt: int) -> Sequence[Object | str]:
        known = scripts.get(index, [[RUNNING, OK]])
        return known[min(attempt, len(known) - 1)]

    return script


@contextmanager
def cluster(*scripts: Sequence[Sequence[Object | str]], log: Any = well, **more: Any) -> Iterator[Server]:
    with serving(Server(by_index(dict(enumerate(scripts))), log, **more)) as server:
        yield server


def engine_on(server: Server, folder: Path, *, resume: bool = False, **options: str) -> KubernetesEngine:
    config = {"kubeconfig": str(apiserver.kubeconfig(folder, server.port))}
    settings = QUICK | config | options
    return make(Run(RUN, None, settings, folder / "out", Progress(quiet=True), resume))  # type: ignore[arg-type]


def plan_with(engine: KubernetesEngine, work: Work) -> Work:
    """The work as the run with this nonce has it."""
    from msgspec.structs import replace

    return Work(replace(work.plan, run=RUN, nonce=engine.nonce), work.needs)


def run(engine: KubernetesEngine, *works: Work) -> Gathered:
    return dispatch(engine, [plan_with(engine, work) for work in works], HOST, Progress(quiet=True))


def ends(gathered: Gathered) -> list[str]:
    """Of each cell: ok, where it was delivered; else why it is lost or unreachable."""
    return [one.lost or (one.foresight.because if one.build is None else "ok") for one in gathered.evidence]


# --- cells that come back ---------------------------------------------------------------------------------------


def test_cells_are_run_as_indexes_of_jobs_and_come_back_by_their_logs(tmp_path: Path) -> None:
    with cluster() as server:
        engine = engine_on(server, tmp_path)
        gathered = run(engine, A, B, C)
        jobs = list(server.objects["jobs"].values())
        engine.forget()

        assert ends(gathered) == ["ok", "ok", "ok"]
        assert [(job["spec"]["completions"], job["metadata"]["labels"]["envcheck/driver"]) for job in jobs] == [
            (2, "any"), (1, "560"),
        ]  # fmt: skip
        assert not any(server.objects.values())
    assert not (tmp_path / "out" / "kubernetes" / RUN).exists()


def test_many_cells_are_listed_page_by_page(tmp_path: Path) -> None:
    works = [work_of(f"1.2.{number}") for number in range(60)]
    with cluster(page=7) as server:
        assert ends(run(engine_on(server, tmp_path), *works)) == ["ok"] * 60
        assert server.count("continue=") > 5


# --- what happens to pods ---------------------------------------------------------------------------------------


def test_a_pod_that_is_evicted_is_run_again_within_the_limit(tmp_path: Path) -> None:
    gone = [[RUNNING, evicted()]]
    once = [[RUNNING, evicted()], [RUNNING, OK]]
    deleted: list[list[Object | str]] = [[RUNNING, apiserver.DELETED], [OK]]
    with cluster(gone, once, deleted) as server:
        found = ends(run(engine_on(server, tmp_path, requeue="2"), A, B, work_of("1.0.9")))

        assert found[1:] == ["ok", "ok"]
        assert "its pod was taken away on node n1: EvictionByEvictionAPI: made room; it was run 3 times" in found[0]


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_ends_a_cell_at_once(tmp_path: Path, reason: str) -> None:
    with cluster([[waiting(reason, 'pull of "x" failed: \x1b[31mnot found')]]) as server:
        begun = time.monotonic()
        found = ends(run(engine_on(server, tmp_path, wait="60"), A, B))

        assert found[0].startswith(f'{reason}: pull of "x" failed:  [31mnot found')
        assert found[1] == "ok"
        assert time.monotonic() - begun < PATIENCE_S


NO_NODE = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: none"
NO_ROOM = "0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) didn't match Pod's node affinity/selector."


def test_pods_that_stay_pending_end_with_the_words_of_the_scheduler(tmp_path: Path) -> None:
    """Where no node can ever match that is `unreachable`; where there is no room now nothing is known."""
    with cluster([[unscheduled(NO_NODE)]], [[unscheduled(NO_ROOM)]], [[]]) as server:
        gathered = run(engine_on(server, tmp_path), A, B, work_of("1.0.9"))
        first, second, third = gathered.evidence

        assert (first.foresight.state, first.lost) == ("unreachable", "")
        assert NO_NODE in first.foresight.because
        assert NO_ROOM in second.lost
        assert third.lost


def test_a_cell_waits_for_as_long_as_others_of_its_job_move(tmp_path: Path) -> None:
    slow = [[unscheduled(NO_ROOM), *[unscheduled(NO_ROOM)] * 30, RUNNING, OK]]
    busy = [[RUNNING, *[RUNNING] * 25, evicted()], [RUNNING, OK]]
    with cluster(slow, busy) as server:
        assert ends(run(engine_on(server, tmp_path, wait="0.02"), A, B)) == ["ok", "ok"]


def test_a_cell_over_its_time_is_lost_and_the_limit_stands_on_the_pod(tmp_path: Path) -> None:
    with cluster([[RUNNING, OVERDUE]]) as server:
        engine = engine_on(server, tmp_path, minutes="5")
        assert ends(run(engine, A)) == ["it took longer than it may on node n1"]
        (job,) = server.objects["jobs"].values()
        assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 300


def test_a_pod_on_a_node_that_fell_silent_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead node ends no pod, and Kubernetes goes on saying that it runs."""
    monkeypatch.setattr(kubernetes, "GRACE_S", 0.2)
    with cluster([[RUNNING]]) as server:
        found = ends(run(engine_on(server, tmp_path, minutes="0.01"), A, B))
        assert found == ["running on node n1, and nothing was heard of it for 0.01 min", "ok"]


def test_a_worker_that_fails_for_good_is_heard_and_one_that_dies_is_tried_again(tmp_path: Path) -> None:
    killed = [[RUNNING, failed(137, "OOMKilled")]]
    mended = [[RUNNING, failed(75)], [OK]]
    with cluster([[RUNNING, failed(4)]], killed, mended, log=lambda plan: b"no delivery\n") as server:
        found = ends(run(engine_on(server, tmp_path), A, B, work_of("1.0.9")))

        assert found[0] == "the worker ended with exit status 4 on node n1; its log has no delivery in it"
        assert "exit status 137 on node n1: OOMKilled; Kubernetes tries it no more" in found[1]
        assert found[2] == "its log has no delivery in it"
        assert max(apiserver.tries(server).values()) == 3


def failing(plan: str) -> bytes:
    asked = plans.read_plan(plan.encode(), "plan")
    from envcheck.errors import EnvcheckError

    return "\n".join(packed(plans.encode(plans.failure(asked, EnvcheckError("no room"))))).encode()


def test_what_a_worker_says_of_its_failure_is_the_reason(tmp_path: Path) -> None:
    with cluster([[RUNNING, failed(4)]], log=failing) as server:
        assert "the worker could not run the cell: no room" in ends(run(engine_on(server, tmp_path), A))[0]


def test_a_job_that_somebody_deletes_or_that_fails_as_a_whole_leaves_its_cells_unknown(tmp_path: Path) -> None:
    with cluster([[RUNNING]]) as server:
        engine = engine_on(server, tmp_path)
        works = [plan_with(engine, A)]
        engine.submit(works)
        changes = engine.follow()
        next(changes)
        server.remove("jobs", {})
        last = list(changes)[-1]
        assert (last.state.value, last.because) == ("lost", "its pod was deleted; its Job was deleted")
        engine.stack.close()
    with cluster([[RUNNING]]) as server:
        engine = engine_on(server, tmp_path, name="other")
        engine.submit([plan_with(engine, A)])
        (job,) = server.objects["jobs"].values()
        job["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}
        assert list(engine.follow())[-1].because == "its Job failed: DeadlineExceeded"


# --- what comes by a log ----------------------------------------------------------------------------------------


def forged(plan: str) -> bytes:
    asked = plans.read_plan(plan.encode(), "plan")
    return "\n".join(packed(delivered(asked, nonce="0" * 32))).encode()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (lambda plan: well(plan)[:-60], "the delivery in its log is not whole"),
        (lambda plan: b"x" * (LOG_LIMIT + 5), "its log is larger than 32 MiB"),
        (lambda plan: None, "its pod was gone before its log could be read"),
        (forged, "another nonce"),
        (lambda plan: b"envcheck-delivery 0123456789abcdef 1/999999 QUJD\n" * 9, "1 of 999999 pieces are there"),
    ],
    ids=["cut", "endless", "gone", "forged", "hostile"],
)
def test_a_log_that_brings_no_delivery_is_unknown_with_the_reason(tmp_path: Path, log: Any, words: str) -> None:
    with cluster(log=log) as server:
        assert words in ends(run(engine_on(server, tmp_path), A))[0]


def test_a_pod_that_none_of_our_jobs_has_made_is_not_heard(tmp_path: Path) -> None:
    with cluster([[RUNNING, RUNNING, RUNNING, failed(137)]]) as server:
        engine = engine_on(server, tmp_path, requeue="0")
        engine.submit([plan_with(engine, A)])
        (pod,) = server.objects["pods"].values()
        stranger = json.loads(json.dumps(pod))
        stranger["metadata"] |= {"name": "stranger", "uid": "s", "ownerReferences": [{"uid": "other"}]}
        server.objects["pods"]["stranger"] = stranger | {"status": OK}

        assert [one.state.value for one in engine.follow()] == ["running", "waiting", "lost"]


# --- what happens to the watch and the server -------------------------------------------------------------------

OLD = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'


@pytest.mark.parametrize(
    "trouble",
    [
        [("watch=", OLD)],
        [("watch=", 410)],
        [("watch=", OLD)] * 3,
        [("watch=", 500), ("watch=", 503)],
        [("watch=", "drop"), ("GET .*/jobs", "drop"), ("GET .*/pods", 502)],
        [("watch=", b"<html>a proxy</html>\n")],
        [("watch=", b'{"type":"ADDED","object":{"metadata":{"na')],
        [("watch=", b'{"type":"BOOKMARK","object":{}}\n')],
        [("POST .*/jobs", 500), ("POST .*/configmaps", "drop"), ("GET .*/jobs", 429)],
        [("/log", 500), ("/log", "drop")],
    ],
    ids=["gone", "gone-at-once", "gone-often", "5xx", "lost", "html", "cut", "bookmark", "creating", "log"],
)
def test_a_watch_or_a_server_in_trouble_loses_no_cell_and_makes_none_twice(
    tmp_path: Path, trouble: list[tuple[str, Any]]
) -> None:
    with cluster([[RUNNING, RUNNING, OK]], trouble=trouble) as server:
        assert ends(run(engine_on(server, tmp_path, patience="1", wait="1"), A, B)) == ["ok", "ok"]
        assert not server.trouble
        assert set(apiserver.tries(server).values()) == {1}


def test_what_happened_while_nobody_watched_is_found_in_the_list(tmp_path: Path) -> None:
    with cluster([[RUNNING, apiserver.DELETED], [RUNNING, OK]]) as server:
        engine = engine_on(server, tmp_path)
        engine.submit([plan_with(engine, A)])
        changes = engine.follow()
        assert next(changes).state.value == "running"
        server.step()
        server.step()
        server.events.clear()

        assert [one.state.value for one in changes][-1] == "done"


def test_a_server_that_stays_away_is_silence_and_the_run_can_be_gone_on_with(tmp_path: Path) -> None:
    with cluster([[RUNNING, RUNNING, OK]]) as server:
        engine = engine_on(server, tmp_path, patience="0.01")
        works = [plan_with(engine, A)]
        engine.submit(works)
        server.refuse = True
        gathered = dispatch_only(engine, works)

        assert not gathered.ended
        assert "Kubernetes has not answered" in ends(gathered)[0]
        engine.stack.close()
        server.refuse = False
        again = engine_on(server, tmp_path, patience="0.01")
        assert ends(dispatch(again, works, HOST, Progress(quiet=True))) == ["ok"]
        assert server.count("POST .*/jobs") == 1


def dispatch_only(engine: KubernetesEngine, works: Sequence[Work]) -> Gathered:
    """Follow what was submitted."""
    engine.submit = lambda _works: None  # type: ignore[method-assign, assignment]
    return dispatch(engine, works, HOST, Progress(quiet=True))


def test_a_right_that_is_taken_away_amid_a_run_leaves_rows_and_a_run_to_go_on_with(tmp_path: Path) -> None:
    with cluster([[RUNNING, OK]]) as server:
        engine = engine_on(server, tmp_path)
        server.trouble.append(("watch=", 401))
        gathered = run(engine, A)

        assert not gathered.ended
        assert "Kubernetes refused: scripted 401" in ends(gathered)[0]
        engine.stack.close()
        assert ends(run(engine_on(server, tmp_path), A)) == ["ok"]
        assert server.count("POST .*/jobs") == 1


def test_an_answer_of_another_form_amid_a_run_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    with cluster([[RUNNING, OK]], [[RUNNING]]) as server:
        engine = engine_on(server, tmp_path)

        def spoilt(kind: str, query: Mapping[str, str]) -> Object:
            page = apiserver.Server.listed(server, kind, query)
            over = kind == "pods" and any(one["status"] == OK for one in page["items"])
            return page | {"items": [{"metadata": {"labels": 5}}]} if over else page

        server.listed = spoilt  # type: ignore[method-assign]
        gathered = run(engine, A, B)

        assert not gathered.ended
        assert ends(gathered)[0] == "ok"
        assert "Kubernetes tells of a Pod of another form" in ends(gathered)[1]


@pytest.mark.parametrize(("code", "words"), [(403, "refused"), (401, "refused"), (404, "refused")])
def test_what_the_server_denies_is_a_usage_error(tmp_path: Path, code: int, words: str) -> None:
    with cluster(trouble=[("GET .*/jobs", code)]) as server, pytest.raises(UsageError, match=words) as caught:
        engine_on(server, tmp_path)
    assert "namespace envcheck" in caught.value.remedy


# --- what there is ----------------------------------------------------------------------------------------------


def on_node(name: str, gpus: str, phase: str = "Running") -> Object:
    """A pod of somebody else's."""
    return {
        "metadata": {"name": f"theirs-{name}", "namespace": "theirs"}, "status": {"phase": phase},
        "spec": {"nodeName": name, "containers": [{"resources": {"limits": {"nvidia.com/gpu": gpus}}}]},
    }  # fmt: skip


def test_the_nodes_of_a_cluster_are_shown_with_what_they_can_serve_and_what_is_taken(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX.replace("[any]", '["570", "580"]'), encoding="utf-8")
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"nvidia.com/gpu": "2"}}
    labels = {"nvidia.com/cuda.driver-version.major": "570", "nvidia.com/cuda.driver-version.minor": "124"}
    with cluster(trouble=[("GET .*/nodes", 503), ("GET .*/pods", "drop")], page=2) as server:
        for name in ("n1", "n2", "n3"):
            server.objects["nodes"][name] = {"metadata": {"name": name, "labels": labels}, "status": ready}
        pods = [on_node("n1", "2"), on_node("n2", "1"), on_node("n3", "2", "Succeeded")]
        server.objects["pods"] |= {f"theirs-{at}": pod for at, pod in enumerate(pods)}
        config = f"--engine-option=kubeconfig={apiserver.kubeconfig(tmp_path, server.port)}"
        done = ended("fleet", "--engine", "kubernetes", config, cwd=tmp_path)
        assert done.returncode == 1
        assert "nodes  570.124  2     2     1     0     n1, n2, n3" in done.stdout
        assert "Of 4 cells 1 can be served, 1 by no host" in done.stdout
        assert "one host with driver 580 and a GPU: 1 cell," in done.stdout
        assert server.count(r"GET /api/v1/pods\?.*fieldSelector=status.phase") > 1


@pytest.mark.parametrize("code", [401, 403, 404])
def test_where_pods_may_not_be_listed_what_is_taken_is_not_known_and_nodes_are_shown(tmp_path: Path, code: int) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"nvidia.com/gpu": "2"}}
    with cluster(trouble=[("GET .*/pods", code)]) as server:
        for name, count in (("n1", "2"), ("n2", "1")):
            status = ready | {"allocatable": {"nvidia.com/gpu": count}}
            server.objects["nodes"][name] = {"metadata": {"name": name}, "status": status}
        config = f"--engine-option=kubeconfig={apiserver.kubeconfig(tmp_path, server.port)}"
        done = ended("fleet", "--engine", "kubernetes", config, cwd=tmp_path)
        assert done.returncode == 0
        assert "nodes  ?       2     ?     ?     0     n1" in done.stdout
        assert done.stdout.count(f"nodes: which GPUs are taken is not known: Kubernetes refused: scripted {code}") == 1


def test_where_nodes_may_not_be_listed_nothing_is_shown(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    with cluster(trouble=[("GET .*/nodes", 403)]) as server:
        config = f"--engine-option=kubeconfig={apiserver.kubeconfig(tmp_path, server.port)}"
        denied = ended("fleet", "--engine", "kubernetes", config, cwd=tmp_path)
        assert (denied.returncode, denied.stdout) == (2, "")
        assert "ClusterRole" in denied.stderr


# --- what happens to us -----------------------------------------------------------------------------------------


def test_ctrl_c_removes_the_jobs_keeps_what_was_delivered_and_the_next_call_does_the_rest(tmp_path: Path) -> None:
    with cluster([[RUNNING, OK]], [[RUNNING]]) as server:
        engine = engine_on(server, tmp_path)
        works = [plan_with(engine, work) for work in (A, B)]
        follow = engine.follow

        def interrupted() -> Any:
            for change in follow():
                yield change
                if change.state.value == "done":
                    raise KeyboardInterrupt

        engine.follow = interrupted  # type: ignore[method-assign]
        with pytest.raises(InterruptedJobError) as caught:
            dispatch(engine, works, HOST, Progress(quiet=True))
        assert len(caught.value.evidence) == 1
        assert not any(server.objects.values())
        assert server.count("DELETE .*/jobs.*propagationPolicy=Background") == 1

        server.script = by_index({})
        again = engine_on(server, tmp_path)
        assert again.nonce == engine.nonce
        assert ends(dispatch(again, works, HOST, Progress(quiet=True))) == ["ok", "ok"]
        (job,) = server.objects["jobs"].values()
        assert job["spec"]["completions"] == 1


def test_two_that_follow_one_run_are_one_too_many(tmp_path: Path) -> None:
    with cluster() as server:
        first = engine_on(server, tmp_path)
        with pytest.raises(InfrastructureError, match="another envcheck follows the run"):
            engine_on(server, tmp_path)
        first.stack.close()


def test_two_runs_of_one_name_leave_each_other_alone(tmp_path: Path) -> None:
    with cluster([[RUNNING]]) as server:
        (tmp_path / "other").mkdir()
        ours, theirs = engine_on(server, tmp_path), engine_on(server, tmp_path / "other")
        ours.submit([plan_with(ours, A)])
        theirs.submit([plan_with(theirs, A)])
        assert len(server.objects["jobs"]) == 2
        ours.cancel()
        (left,) = server.objects["jobs"].values()
        assert left["metadata"]["labels"]["envcheck/nonce"] == theirs.nonce
        theirs.stack.close()


def test_another_machine_finds_the_run_in_the_cluster(tmp_path: Path) -> None:
    with cluster([[RUNNING, RUNNING, OK]]) as server:
        first = engine_on(server, tmp_path)
        works = [plan_with(first, A)]
        first.submit(works)
        (tmp_path / "elsewhere").mkdir()
        second = engine_on(server, tmp_path / "elsewhere", resume=True)

        assert second.nonce == first.nonce
        assert ends(dispatch(second, works, HOST, Progress(quiet=True))) == ["ok"]
        assert server.count("POST .*/jobs") == 1
        server.remove("jobs", {})
        (tmp_path / "third").mkdir()
        with pytest.raises(UsageError, match="there is no such run"):
            engine_on(server, tmp_path / "third", resume=True)


def test_a_job_of_the_same_name_that_is_being_deleted_is_waited_for(tmp_path: Path) -> None:
    with cluster() as server:
        engine = engine_on(server, tmp_path)
        engine.submit([plan_with(engine, A)])
        (name,) = server.objects["jobs"]
        server.objects["jobs"][name]["metadata"]["deletionTimestamp"] = apiserver.CREATED
        engine.stack.close()
        again = engine_on(server, tmp_path)
        slept = again.api.sleep

        def sleep(seconds: float) -> None:
            server.remove("jobs", {})
            slept(0.01)

        object.__setattr__(again.api, "sleep", sleep)
        again.submit([plan_with(again, A)])
        object.__setattr__(again.api, "sleep", slept)
        assert [one.state.value for one in again.follow()][-1] == "done"


@contextmanager
def started(server: Server, folder: Path, text: str = MATRIX) -> Iterator[subprocess.Popen[bytes]]:
    """`envcheck validate --engine kubernetes`, as a user calls it."""
    (folder / "matrix.yaml").write_text(text, encoding="utf-8")
    settings = {"image": IMAGE, "kubeconfig": str(apiserver.kubeconfig(folder, server.port))}
    options = [f"--engine-option={key}={value}" for key, value in settings.items()]
    argv = [sys.executable, "-m", "envcheck", "validate", "--engine", "kubernetes", *options]
    with (
        (folder / "stderr").open("ab") as stderr,
        child(argv, cwd=folder, env=environment({}), stdout=subprocess.DEVNULL, stderr=stderr) as running,
    ):
        yield running


def test_a_real_worker_delivers_by_its_log_and_is_judged_here(tmp_path: Path) -> None:
    """MediaPipe 0.10.5 is known not to work: nothing is built, everything else is real."""

    def log(plan: str) -> bytes:
        (tmp_path / "plan.json").write_text(plan, encoding="utf-8")
        argv = [sys.executable, "-m", "envcheck", "cell", "--quiet", "--plan", "plan.json", "--parcel"]
        return subprocess.run(argv, cwd=tmp_path, env=environment({}), capture_output=True, check=True).stdout

    with cluster(log=log) as server, started(server, tmp_path, MATRIX.replace('"1.2.2", "1.2.1"', '"0.10.5"')) as one:
        assert one.wait(PATIENCE_S) == 1, (tmp_path / "stderr").read_text()
    (cell,) = json.loads((tmp_path / ".envcheck" / "results.json").read_text(encoding="utf-8"))["cells"]
    assert cell["verdict"] == "impossible"


def test_without_the_client_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    run = Run(RUN, None, {"image": IMAGE}, tmp_path, Progress(quiet=True))  # type: ignore[arg-type]

    with pytest.raises(UsageError, match="needs the official client") as caught:
        make(run)
    assert "envcheck[kubernetes]" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "clusters: 5", "a: [b"])
def test_a_cluster_that_is_not_known_is_one_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text, encoding="utf-8")
    options = {"image": IMAGE, "kubeconfig": str(tmp_path / "config")}

    with pytest.raises(UsageError, match="no cluster is known here"):
        make(Run(RUN, None, options, tmp_path, Progress(quiet=True)))  # type: ignore[arg-type]


def test_where_no_cluster_is_known_standard_output_stays_empty(tmp_path: Path) -> None:
    """The client's own search prints to it, where the JSON goes."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("KUBE")} | {"HOME": str(tmp_path)}
    argv = [sys.executable, "-m", "envcheck", "fleet", "--engine", "kubernetes", "--json"]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "no cluster is known here" in done.stderr


def test_envcheck_killed_and_started_again_finds_its_jobs_and_ctrl_c_removes_them(tmp_path: Path) -> None:
    with cluster(paused=True) as server:
        with started(server, tmp_path) as running:
            wait_until(lambda: server.count("watch=") > 0, "the first watch")
            running.send_signal(signal.SIGKILL)
            running.wait(PATIENCE_S)
        server.paused = False
        with started(server, tmp_path) as running:
            assert running.wait(PATIENCE_S) == 1, (tmp_path / "stderr").read_text()
        results = json.loads((tmp_path / ".envcheck" / "results.json").read_text(encoding="utf-8"))
        assert [cell["verdict"] for cell in results["cells"]] == ["broken", "broken"]
        assert server.count("POST .*/jobs") == 1
        assert server.objects["jobs"] == {}

        server.paused = True
        before = server.count("watch=")
        with started(server, tmp_path) as running:
            wait_until(lambda: server.count("watch=") > before + 1, "a watch of the next run")
            running.send_signal(signal.SIGINT)
            assert running.wait(PATIENCE_S) == 130
        assert not any(server.objects.values())
