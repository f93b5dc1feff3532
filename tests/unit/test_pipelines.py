"""Jobs for engines: all cells once, within the limits, in the form that each engine takes."""

from __future__ import annotations

import io
import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from envcheck import matrix
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.pipelines import Fleet, Runners, fleet_of, github, gitlab, kubernetes
from envcheck.pipelines.affinity import affinity_of
from envcheck.pipelines.yamltext import render as render_yaml
from tests.inprocess import ended
from tests.unit.test_division import CELLS, TEXT

IMAGE = f"registry.example/envcheck@sha256:{'a' * 64}"
KUBERNETES = ("1.29", "1.31", "1.33", "1.35", "1.37")
MANY = """
version: 1
axes:
  python: ["3.10", "3.11", "3.12", "3.13"]
  mediapipe: ["0.10.8", "0.10.9", "0.10.10", "0.10.11", "0.10.13", "0.10.14", "0.10.15", "0.10.18", "0.10.20", "1.2.2"]
  cuda: ["12.4", "12.8", "13.0"]
  driver: ["550", "570", "570.124.06", any]
"""


def fleet(text: str = TEXT, most: int = 256, **how: bool) -> Fleet:
    return fleet_of(list(matrix.select(matrix.parse(text, "matrix.yaml"))), {}, most, **how)


def read(text: str, version: str) -> list[Any]:
    """The documents as a parser of one version of YAML understands them."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    return list(yaml.load_all(io.StringIO(text)))


# --- jobs -------------------------------------------------------------------------------------------------------


def test_a_cell_is_a_job_where_all_fit() -> None:
    found = fleet()

    assert sorted(job.id for job in found.jobs) == sorted(cell.id for cell in CELLS)
    assert all(job.cells == (job.id,) for job in found.jobs)


@pytest.mark.parametrize("most", [3, 4, 7, 23, 24, 200])
def test_every_cell_is_in_one_job_of_its_driver_and_there_are_no_more_jobs_than_allowed(most: int) -> None:
    found = fleet(most=most)
    assert len(found.jobs) == min(most, len(CELLS))
    assert sorted(one for job in found.jobs for one in job.cells) == sorted(cell.id for cell in CELLS)
    assert all(one.endswith(f"-r{job.driver}") for job in found.jobs for one in job.cells)
    assert len({job.id for job in found.jobs}) == len(found.jobs)
    assert {cell.job for cell in found.cells} == {job.id for job in found.jobs}


def test_a_matrix_of_480_cells_keeps_the_limits_of_the_platforms() -> None:
    rows = json.loads(github.render(fleet(MANY, github.MOST), Runners()))["include"]
    (pipeline,) = read(gitlab.render(fleet(MANY, gitlab.MOST), Runners()), "1.2")
    shards = [job["parallel"]["matrix"][0]["SHARD"] for name, job in pipeline.items() if name.startswith("cells-")]
    assert (len(rows), sum(row["cells"] for row in rows)) == (256, 480)
    assert sum(map(len, shards)) == 200


def test_more_drivers_than_jobs_and_no_cells_are_errors() -> None:
    with pytest.raises(UsageError, match="do not fit into 2 jobs"):
        fleet(most=2)
    with pytest.raises(NothingSelectedError):
        fleet_of([], {}, 5)


# --- labels -----------------------------------------------------------------------------------------------------


def test_a_runner_is_asked_for_by_driver_unless_any_will_do() -> None:
    assert Runners().labels("570") == ("self-hosted", "linux", "gpu", "driver-570")
    assert Runners().labels("any") == ("self-hosted", "linux", "gpu")
    assert Runners(("h200",), "nvidia_{driver}").labels("570.124.06") == ("h200", "nvidia_570.124.06")


@pytest.mark.parametrize("label", ["", "a b", "${{ x }}", "$(id)", "a'b", "-x", 'a"'])
def test_a_label_that_something_might_obey_is_refused(label: str) -> None:
    with pytest.raises(UsageError):
        Runners((label,))
    with pytest.raises(UsageError):
        Runners(form=label)


# --- GitHub and GitLab ------------------------------------------------------------------------------------------


def test_the_matrix_for_github_is_one_line_of_rows() -> None:
    text = github.render(fleet(), Runners())
    assert text.index("\n") == len(text) - 1
    assert json.loads(text)["include"][0] == {
        "id": "docker-py3.11-mp0.10.35-r570", "backend": "docker", "python": "3.11", "mediapipe": "0.10.35",
        "driver": "570", "shard": "1/8", "cells": 1,
        "runs_on": ["self-hosted", "linux", "gpu", "driver-570"],
    }  # fmt: skip


def test_the_child_pipeline_has_the_form_that_gitlab_takes() -> None:
    vendored = "check_jsonschema/builtin_schemas/vendor/gitlab-ci.json"
    path = Path(str(distribution("check-jsonschema").locate_file(vendored)))
    schema = json.loads(path.read_text(encoding="utf-8"))
    (pipeline,) = read(gitlab.render(fleet(), Runners()), "1.2")
    assert [error.message for error in Draft7Validator(schema).iter_errors(pipeline)] == []
    assert [error.message for error in Draft7Validator(schema).iter_errors(pipeline | {"merge": {"script": 5}})]
    assert {one["job"] for one in pipeline["merge"]["needs"]} == {"plan", "cells-r570", "cells-r580", "cells-rany"}


# --- Kubernetes -------------------------------------------------------------------------------------------------


def manifests(**more: Any) -> list[Any]:
    cluster = kubernetes.Cluster(**{"images": {"": IMAGE}, "claim": "results"} | more)
    files = {"matrix.yaml": TEXT, "durations.json": "{}\n"}
    return read(kubernetes.render(fleet(by_backend=True), cluster, files), "1.2")


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_have_the_form_that_kubernetes_publishes(version: str) -> None:
    for manifest in manifests(runtime_class="nvidia", key_secret="signing"):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_manifest_of_another_form_is_found_out() -> None:
    job = manifests()[1]
    wrongs: list[dict[str, Any]] = [{"completion": 3}, {"completions": "3"}, {"template": 1}]
    for wrong in wrongs:
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(job | {"spec": job["spec"] | wrong}, KUBERNETES[-1], strict=True)


def test_there_is_a_job_per_driver_and_backend_with_an_index_per_shard() -> None:
    config, *jobs = manifests()
    assert config["kind"] == "ConfigMap"
    assert config["data"]["matrix.yaml"] == TEXT
    assert [job["metadata"]["labels"]["envcheck/driver"] for job in jobs] == ["570", "580", "any"] * 2
    assert {job["spec"]["completions"] for job in jobs} == {4}
    for job in jobs:
        container = job["spec"]["template"]["spec"]["containers"][0]
        assert container["image"] == IMAGE
        assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
        assert {"name": "ENVCHECK_SHARDS", "value": "4"} in container["env"]
        assert container["args"][container["args"].index("--shard") + 1] == "env"
        assert container["args"][-1].endswith(f"/{job['metadata']['name']}/$(JOB_COMPLETION_INDEX)")


def test_without_a_volume_the_evidence_leaves_by_the_log() -> None:
    pod = manifests(claim=None)[1]["spec"]["template"]["spec"]
    assert "--parcel" in pod["containers"][0]["args"]
    assert {"name": "results", "emptyDir": {}} in pod["volumes"]
    assert "--parcel" not in manifests()[1]["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_pod_keeps_to_the_restricted_profile() -> None:
    """The fields that the Pod Security Standards demand, and what nothing here needs."""
    for job in manifests()[1:]:
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
        assert kinds == {"configMap", "emptyDir", "persistentVolumeClaim"}
        assert {one["mountPath"] for one in container["volumeMounts"] if one.get("readOnly")} == {"/etc/envcheck"}


def test_a_node_is_asked_for_by_either_generation_of_labels() -> None:
    required = affinity_of("570.124.06")["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    told = [
        {one["key"].removeprefix("nvidia.com/cuda."): one["values"] for one in term["matchExpressions"]}
        for term in required["nodeSelectorTerms"]
    ]
    assert told == [
        {"driver-version.major": ["570"], "driver-version.minor": ["124"], "driver-version.revision": ["06"]},
        {"driver.major": ["570"], "driver.minor": ["124"], "driver.rev": ["06"]},
    ]
    with pytest.raises(UsageError, match="three components"):
        affinity_of("1.2.3.4")
    assert "affinity" not in manifests()[3]["spec"]["template"]["spec"]


def test_names_change_with_what_cannot_be_changed_in_place() -> None:
    names = [one["metadata"]["name"] for one in manifests()]
    assert names == [one["metadata"]["name"] for one in manifests()]
    other = [one["metadata"]["name"] for one in manifests(runtime_class="nvidia")]
    assert names[0] == other[0]
    assert not set(names[1:]) & set(other[1:])
    assert all(len(name) <= 63 for name in names)


@pytest.mark.parametrize(
    "image", ["envcheck", "envcheck:1.0", "a@sha256:" + "a" * 63, "a@sha256:" + "A" * 64, f"{IMAGE} "]
)
def test_an_image_without_a_digest_is_refused_with_the_way_to_get_one(image: str) -> None:
    with pytest.raises(UsageError, match="names no digest") as caught:
        kubernetes.Cluster(images={"": image}, claim="results")
    assert "imagetools inspect" in caught.value.remedy


@pytest.mark.parametrize("field", ["claim", "namespace", "name", "runtime_class", "key_secret"])
def test_what_is_no_name_is_refused(field: str) -> None:
    given: dict[str, Any] = {"images": {"": IMAGE}, "claim": "results", field: "A/B"}
    with pytest.raises(UsageError, match="is no name"):
        kubernetes.Cluster(**given)


def test_the_kubelet_replaces_nothing_of_the_users() -> None:
    arguments = manifests(arguments=["--select", "$(HOME)"])[1]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "$$(HOME)" in arguments


# --- YAML -------------------------------------------------------------------------------------------------------


WORDS = st.sampled_from(["yes", "No", "on", "y", "~", "1e3", "0x1", "12:30", "a: b", "- a", "two\nlines", "<<", "="])


@settings(max_examples=200)
@given(st.text(max_size=40), st.lists(WORDS))
def test_texts_stay_texts_by_both_versions_of_yaml(text: str, words: list[str]) -> None:
    data = {"a": {"text": text}, "words": words, "plain": ["abc", "570", "1/3"]}
    for version in ("1.1", "1.2"):
        assert read(render_yaml([data]), version) == [data]


# --- the command ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "matrix.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_the_command_writes_every_format_without_a_look_at_this_machine(folder: Path) -> None:
    """A unit test may start no process, so that this one passes says that no driver was asked."""
    more = {"kubernetes": ("--image", IMAGE, "--claim", "results"), "github": ("--label", "gpu", "--shards", "1")}
    for form in ("fleet", "github", "gitlab", "kubernetes"):
        done = ended("plan", "--format", form, *more.get(form, ()), cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == ended("plan", "--format", form, *more.get(form, ()), cwd=folder).stdout


def test_cells_that_no_pod_can_serve_are_named(folder: Path) -> None:
    done = ended(
        "plan", "--format", "kubernetes", "--image", IMAGE, "--claim", "c", "--select", "driver==any", cwd=folder
    )
    assert "# Left out, because a pod has no container engine: 4 cells" in done.stdout
    assert "#   docker-py3.11-mp1.2.2-rany\n" in done.stdout
    assert "--select" in read(done.stdout, "1.2")[1]["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["github", "--shards", "257"], "--shards 257 is not from 1 to 256"),
        (["gitlab", "--shards", "0"], "--shards 0"),
        (["github", "--shard", "1/2"], "makes shards of its own"),
        (["github", "--label", "a b"], "no label"),
        (["kubernetes"], "needs an image by digest"),
        (["kubernetes", "--image", "conda=" + IMAGE, "--claim", "c"], "no image is named for cells of backend venv"),
        (["kubernetes", "--image", "x:1", "--claim", "c"], "names no digest"),
        (["yaml"], "is not one of"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:30],
)
def test_bad_input_is_one_message(folder: Path, arguments: list[str], said: str) -> None:
    done = ended("plan", "--format", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[0]
