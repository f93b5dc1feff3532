"""What engines offer, where cells stand with it, and which hosts are missing."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from envcheck import compat
from envcheck.compat.versions import components, starts_with
from envcheck.engines import loading as engines
from envcheck.engines.engine import Needs
from envcheck.engines.kubernetes.objects import Node, Pod
from envcheck.engines.offers import loading
from envcheck.engines.offers.kubernetes import cluster_of as nodes_of
from envcheck.engines.offers.kubernetes import taken_in
from envcheck.engines.offers.local import group_of
from envcheck.engines.offers.offer import Asked, Site, host_with
from envcheck.engines.offers.slurm import Cluster, cluster_of
from envcheck.engines.slurm.nodes import parse_nodes, place_of
from envcheck.engines.slurm.options import Options
from envcheck.errors import UsageError
from envcheck.fleet import exit_code, offer_of
from envcheck.model import Axes, Cell, Host, Unread, cell_id
from envcheck.offered import Group, Missing, Offer
from envcheck.pipelines.affinity import NEW, OLD
from envcheck.report.fleet import render
from tests.inprocess import ended

SINFO = """\
n1|main*|driver-560,fast|gpu:h200:2(S:0-1)|1-00:00:00|idle
n2|main*|driver-560.35.03|gpu:1|1-00:00:00|mixed
n3|old|driver-550.54.15|(null)|infinite|allocated
n4|main*|driver-470|gpu:1|1-00:00:00|down*
n5|main*|(null)|(null)|1-00:00:00|idle
a line of another form
"""
OPTIONS = Options(folder=Path("/shared"))


def cell(driver: str | None = None, cuda: str | None = None, mediapipe: str = "1.2.2") -> Cell:
    axes = Axes(backend="venv", python="3.11", mediapipe=mediapipe, cuda=cuda, driver=driver)
    return Cell(id=cell_id(axes), axes=axes)


def group(driver: str | None, *, gpus: int | None = 1, free: int = 1, name: str = "") -> Group:
    names = (name or f"host-{driver}",)
    return Group(where="lab", driver=driver, gpus=gpus, names=names, free=free, busy=0, down=1 - free)


@dataclass(frozen=True)
class Lab:
    """Hosts with these drivers, matched as everywhere."""

    sites: Sequence[Site]

    def serving(self, needs: Needs, backend: str) -> Sequence[Site] | str:
        """Component by component."""
        found = [site for site in self.sites if compat.driver_match(needs.driver, site.host) is None]
        return found or f"needs driver {needs.driver}"


def lab(*groups: Group) -> Lab:
    return Lab([Site(one, host_with(one.driver)) for one in groups])


def states(offer: Offer) -> list[str]:
    return [one.state for one in offer.cells]


# --- where cells stand ------------------------------------------------------------------------------------------


def test_cells_are_served_by_hosts_that_have_driver_and_gpu_and_are_up() -> None:
    offers = lab(group("560.35.03"), group("550.1", gpus=0), group("535.1", free=0), group("525.1", gpus=None))
    found = offer_of("lab", [cell("560"), cell("550"), cell("535"), cell("525"), cell("570"), cell("any")], offers)

    assert states(found) == ["served", "unserved", "down", "served", "unserved", "served"]
    assert found.cells[1].because == "none of the hosts has a GPU"
    assert found.cells[4].because == "needs driver 570"
    assert [one.driver for one in found.missing] == ["550", "570"]
    assert exit_code(found) == 1


def test_what_is_impossible_everywhere_stays_so_and_needs_no_host() -> None:
    cells = [cell("any", mediapipe="1.0.0"), cell("470", "13.0"), cell("any", "10.9"), cell("any")]
    found = offer_of("lab", cells, lab(group("560.35.03")))

    assert states(found) == ["impossible", "impossible", found.cells[2].state, "served"]
    assert all(one.because for one in found.cells if one.state == "impossible")
    assert not found.missing


def test_a_cell_of_any_that_these_drivers_are_too_old_for_asks_for_a_newer_one() -> None:
    found = offer_of("lab", [cell("any", "13.0"), cell("any", "12.2")], lab(group("550.54.15")))

    assert states(found) == ["unserved", "served"]
    assert found.missing == (
        Missing(driver="580", since=found.missing[0].since, newer=True, cells=(cell("any", "13.0").id,)),
    )
    assert "or a newer branch, and a GPU" in render(found)


def test_a_host_that_is_asked_for_anyway_serves_cells_of_any_too() -> None:
    found = offer_of("lab", [cell("580"), cell("any", "13.0"), cell("any"), cell("580.65.06")], lab())

    (one,) = found.missing
    assert (one.driver, one.newer, len(one.cells)) == ("580.65.06", False, 4)


def test_a_driver_that_serves_a_cuda_by_forward_compatibility_alone_says_what_gpu_it_needs() -> None:
    found = offer_of("lab", [cell("535", "13.0"), cell("any", "13.0")], lab())

    (one,) = found.missing
    assert (one.driver, one.forward, len(one.cells)) == ("535", True, 2)
    assert "driver 535 and a GPU that CUDA's forward compatibility serves: 2 cells" in render(found)


def test_nothing_that_is_served_is_no_good_news() -> None:
    assert exit_code(offer_of("lab", [cell("any", mediapipe="1.0.0")], lab(group("560.35.03")))) == 1
    assert exit_code(offer_of("lab", [cell("any")], lab(group("560.35.03")))) == 0
    assert "offers no host" in render(offer_of("lab", [cell("any")], lab()))


DRIVERS = st.sampled_from(["470", "535", "550", "550.54.15", "560", "560.35.03", "570", "580", "any", None])
CELLS = st.lists(
    st.builds(cell, DRIVERS, st.sampled_from(["11.8", "12.4", "12.8", "13.0", None])), min_size=1, max_size=8
)
HOSTS = st.lists(st.builds(group, st.sampled_from(["470.82.01", "535.104.05", "560.35.03", "580.65.06"])), max_size=2)


@settings(max_examples=150)
@given(CELLS, HOSTS)
def test_the_missing_hosts_serve_the_rest_and_none_of_them_is_too_many(cells: list[Cell], groups: list[Group]) -> None:
    def left(missing: Sequence[Missing]) -> set[str]:
        more = [group(None if one.driver == "any" else one.driver, name=str(at)) for at, one in enumerate(missing)]
        return {one.id for one in offer_of("lab", cells, lab(*groups, *more)).cells if one.state == "unserved"}

    found = offer_of("lab", cells, lab(*groups))

    assert left(found.missing) == set(found.beyond)
    for one in found.missing:
        newer = [replace(other, driver="999") if other.newer else other for other in found.missing]
        assert left(newer) == set(found.beyond)
        assert left([other for other in found.missing if other != one]) > set(found.beyond)


# --- Slurm ------------------------------------------------------------------------------------------------------


def test_a_cluster_is_read_from_what_sinfo_says() -> None:
    found = {site.group.names: site.group for site in cluster_of(SINFO, OPTIONS).sites}

    assert {names: (one.driver, one.gpus, one.free, one.busy, one.down) for names, one in found.items()} == {
        ("n1",): ("560", 2, 1, 0, 0),
        ("n2",): ("560.35.03", 1, 0, 1, 0),
        ("n3",): ("550.54.15", None, 0, 1, 0),
        ("n4",): ("470", 1, 0, 0, 1),
        ("n5",): (None, 0, 1, 0, 0),
    }


def test_cells_stand_with_a_cluster_as_its_engine_would_place_them() -> None:
    cells = [cell("560"), cell("560.35.03"), cell("550"), cell("470"), cell("580"), cell("any")]
    found = offer_of("slurm", cells, cluster_of(SINFO, OPTIONS))

    assert states(found) == ["served", "served", "served", "down", "unserved", "served"]
    assert "no node in this cluster has the feature driver-580" in found.cells[4].because
    assert [one.driver for one in found.missing] == ["580"]


def test_features_that_an_option_names_tell_a_driver_too() -> None:
    options = Options(folder=Path("/shared"), drivers={"570": "lab-a", "580": "lab-a"})
    offers = cluster_of("n1|main*|lab-a|gpu:1|infinite|idle\n", options)

    assert states(offer_of("slurm", [cell("570"), cell("580", "13.0"), cell("560")], offers)) == [
        "served", "served", "unserved",
    ]  # fmt: skip


def test_where_no_node_tells_of_gpus_that_is_not_none() -> None:
    (site,) = cluster_of("n1|main*|(null)|(null)|infinite|idle\n", OPTIONS).sites

    assert site.group.gpus is None


FEATURES = st.sets(st.sampled_from(["driver-560", "driver-560.35.03", "driver-550", "fast", "lab-a"]), max_size=2)
NODE = st.tuples(st.sampled_from(["main*", "old"]), FEATURES, st.sampled_from(["gpu:1", "(null)"]))


@settings(max_examples=100)
@given(st.lists(NODE, max_size=5), st.sampled_from(["", "main", "old"]), st.sampled_from(["", "fast"]))
def test_the_command_and_the_engine_agree_on_who_can_serve(nodes: list[Any], partition: str, constraint: str) -> None:
    rows = [
        f"n{at}|{where}|{','.join(sorted(features)) or '(null)'}|{gres}|infinite|idle"
        for at, (where, features, gres) in enumerate(nodes)
    ]
    text = "\n".join(rows)
    options = Options(folder=Path("/s"), partition=partition, constraint=constraint, drivers={"570": "lab-a"})
    offers: Cluster = cluster_of(text, options)
    for driver in (None, "560", "560.35", "550", "570"):
        placed = place_of(Needs(driver), parse_nodes(text), options)
        serving = offers.serving(Needs(driver), "venv")
        assert isinstance(placed, str) == isinstance(serving, str)
        if isinstance(serving, str):
            assert serving == placed
        elif driver is not None:
            assert all(
                starts_with(components(getattr(site.host.nvml, "driver", "")) or (), components(driver) or (0,))
                for site in serving
            )


# --- Kubernetes -------------------------------------------------------------------------------------------------


NOBODY_TELLS = "which GPUs are taken is not known: Kubernetes refused: no (403)"


def node(name: str, *parts: str, gpus: str = "1", generation: Sequence[str] = NEW, **spec: Any) -> Node:
    ready = spec.pop("ready", "True")
    return msgspec.convert(
        {
            "metadata": {"name": name, "labels": dict(zip(generation, parts, strict=False))},
            "spec": spec,
            "status": {"allocatable": {"nvidia.com/gpu": gpus}, "conditions": [{"type": "Ready", "status": ready}]},
        },
        Node,
    )


def test_nodes_are_read_by_both_generations_of_labels_and_may_be_closed_to_pods() -> None:
    ours = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
    nodes = [
        node("a", "570", "124", "06", taints=[ours]), node("b", "570", "124", "06", generation=OLD, unschedulable=True),
        node("c", "560", gpus="8", taints=[ours, {"key": "team", "effect": "NoExecute"}]), node("d", ready="Unknown"),
        node("e", gpus="0"), node("f", gpus="many"),
    ]  # fmt: skip
    found = {site.group.names: site.group for site in nodes_of(nodes, NOBODY_TELLS).sites}

    assert {names: (one.driver, one.gpus, one.down) for names, one in found.items()} == {
        ("a", "b"): ("570.124.06", 1, 1), ("c",): ("560", 8, 1), ("d",): (None, 1, 1), ("e", "f"): (None, 0, 0),
    }  # fmt: skip
    assert {(one.free, one.busy, one.note) for one in found.values()} == {(None, None, NOBODY_TELLS)}


def pod(on: str, *gpus: str, phase: str = "Running", before: Sequence[Mapping[str, Any]] = ()) -> Pod:
    containers = [{"resources": {"requests": {"nvidia.com/gpu": count, "cpu": "1"}}} for count in gpus]
    spec = {"nodeName": on, "containers": containers, "initContainers": before}
    return msgspec.convert({"spec": spec, "status": {"phase": phase}}, Pod)


def test_a_node_is_busy_where_pods_have_requested_each_of_its_gpus() -> None:
    nodes = [node("a", "570", gpus="2"), node("b", "570", gpus="2"), node("c", "570", gpus="2", unschedulable=True)]
    pods = [
        pod("a", "1", "1"), pod("b", "1"), pod("b", "2", phase="Succeeded"), pod("b"), pod("", "2"), pod("c", "2"),
        pod("d", "8"), pod("e", "many"),
    ]  # fmt: skip
    sites = nodes_of([*nodes, node("d", "560"), node("e", "550"), node("f", "535", gpus="0")], taken_in(pods)).sites
    found = {site.group.names: (site.group.free, site.group.busy, site.group.down) for site in sites}

    assert found == {("a", "b", "c"): (1, 1, 1), ("d",): (0, 1, 0), ("e",): (1, 0, 0), ("f",): (1, 0, 0)}


@pytest.mark.parametrize(
    ("before", "gpus", "taken"),
    [
        ([], ["1", "2"], 3),
        ([{"resources": {"limits": {"nvidia.com/gpu": "4"}}}], ["1"], 4),
        ([{"resources": {"limits": {"nvidia.com/gpu": "1"}}, "restartPolicy": "Always"}], ["1"], 2),
        (
            [
                {"resources": {"requests": {"nvidia.com/gpu": "2"}}, "restartPolicy": "Always"},
                {"resources": {"requests": {"nvidia.com/gpu": "3"}}},
            ],
            ["1"],
            5,
        ),
        ([{}], [], 0),
    ],
    ids=["together", "first", "beside", "first-beside", "none"],
)
def test_a_pod_takes_what_the_scheduler_counts(before: Any, gpus: list[str], taken: int) -> None:
    assert taken_in([pod("a", *gpus, before=before)])["a"] == taken


def test_cells_stand_with_nodes_as_the_affinity_of_their_pods_admits() -> None:
    offers = nodes_of([node("a", "570", "124", "06"), node("c", "560", ready="False")], Counter())
    docker = Axes(backend="docker", python="3.11", mediapipe="1.2.2")
    cells = [cell("570"), cell("570.124.06"), cell("570.12"), cell("560"), cell("1.2.3.4"), cell("any")]
    found = offer_of("kubernetes", [*cells, Cell(id="docker", axes=docker)], offers)

    assert states(found) == ["served", "served", "unserved", "down", "unserved", "served", "unserved"]
    assert "no label of a node tells more" in found.cells[4].because
    assert "no container engine" in found.cells[6].because


# --- this machine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kernel", "gpus"), [("", 0), (None, None), ("570.1", None), (Unread(reason="no"), None)])
def test_no_answer_of_a_driver_is_no_gpu_only_where_none_is_loaded(kernel: Any, gpus: int | None) -> None:
    host = Host(platform="linux", machine="x86_64", nvml=Unread(reason="not found"), kernel_driver=kernel)

    assert group_of(host, busy=False).gpus == gpus


# --- other engines ----------------------------------------------------------------------------------------------


def asked() -> Asked:
    return Asked({}, {}, Path())


def brought(monkeypatch: pytest.MonkeyPatch, look: object) -> None:
    module = ModuleType("theirs")
    module.look = look  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "theirs", module)
    entry = EntryPoint("theirs", "theirs:look", loading.GROUP)
    monkeypatch.setattr(loading, "entry_points", lambda group: [entry])
    monkeypatch.setattr(engines, "known", lambda: {"theirs": entry, "mute": entry, "slurm": entry})


def test_an_engine_of_another_package_may_tell_too_and_one_that_does_not_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brought(monkeypatch, lambda asked: lab(group("560")))

    assert len(loading.offers_of("theirs", asked()).sites) == 1
    with pytest.raises(UsageError, match="the engine mute does not tell what it offers"):
        loading.offers_of("mute", asked())


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (lambda asked: 5, "answered something that has no sites, serving"),
        (lambda asked: 1 / 0, "cannot be asked: ZeroDivisionError"),
        (None, "cannot be asked: TypeError"),
    ],
)
def test_an_engine_that_answers_badly_is_named(monkeypatch: pytest.MonkeyPatch, look: object, words: str) -> None:
    brought(monkeypatch, look)

    with pytest.raises(UsageError, match=r"^engine theirs .theirs:look. ") as caught:
        loading.offers_of("theirs", asked())
    assert words in caught.value.message


# --- the report -------------------------------------------------------------------------------------------------


def test_a_host_with_a_hostile_name_steers_no_terminal() -> None:
    text = render(offer_of("lab", [cell("any")], lab(group("560", name="n\x1b[31m"))))

    assert "\x1b" not in text
    assert "n\\x1b[31m" in text


def test_bad_input_is_one_message(tmp_path: Path) -> None:
    for arguments, said in (
        (["--engine", "sluurm"], "is none of kubernetes, local, slurm"),
        (["--engine-option", "partition=gpu"], "the local engine has no option partition"),
        (["--engine", "slurm", "--engine-option", "partition"], "is not KEY=VALUE"),
        (["--tier", "none-of-them"], "none-of-them"),
    ):
        done = ended("fleet", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "slurm"], "--dry-run shows what this machine would build and run, and not what --engine slurm"),
        (["--engine", "sluurm"], "--engine 'sluurm' is none of kubernetes, local, slurm"),
        (["--engine-option", "partition=gpu"], "the local engine has no option partition"),
    ],
)
def test_a_dry_run_foresees_nothing_for_the_hosts_of_an_engine(tmp_path: Path, arguments: list[str], said: str) -> None:
    """This machine's driver is not theirs."""
    done = ended("validate", "--dry-run", *arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_json_has_every_key_of_its_form() -> None:
    document = json.loads(msgspec.json.encode(offer_of("lab", [cell("any"), cell("580")], lab(group(None)))))

    assert set(document) == {"schema", "engine", "groups", "cells", "missing", "beyond", "summary"}
    assert document["groups"][0]["driver"] is None
    assert document["summary"] == {"served": 1, "down": 0, "unserved": 1, "impossible": 0}
