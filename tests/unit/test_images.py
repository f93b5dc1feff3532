"""Images: what the engine tells of one, which Python is taken, what is typed to mend a finding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from envcheck import boxes
from envcheck.boxes import Engine
from envcheck.boxes.inner import MARK
from envcheck.conclude import conclude_cell
from envcheck.errors import UsageError
from envcheck.images import files, prescription, proving, scratch
from envcheck.images.container import Wish, options_of, with_variables
from envcheck.images.judging import told
from envcheck.images.look import Config, config_of, other_architecture
from envcheck.images.pythons import candidates, choose, parse
from envcheck.judge import judge
from envcheck.model import Axes, Build, Cell, CellResult, Evidence, Image, PythonInside, Status, Unread, WorkerRun
from envcheck.rules.remedies import BY_CODE, Remedy, remedies
from tests.golden import as_if_seen
from tests.unit.worlds import HEALTHY, looked_at

ENGINE = Engine(("docker",), "docker", "28", architecture="x86_64")
CONFIG = Config(
    reference="app:1", id="sha256:ab", architecture="amd64", user="app", variables={"GLOG_minloglevel": "3"}
)
ANSWER = {
    "version": [3, 11, 2],
    "prefix": "/usr",
    "executable": "/usr/bin/python3",
    "pythons": [
        {"path": "/usr/bin/python3", "prefix": "/usr", "python": "3.11", "mediapipe": None},
        {"path": "/opt/venv/bin/python", "prefix": "/opt/venv", "python": "3.11", "mediapipe": "1.2.2"},
    ],
}


def test_the_configuration_of_an_image_is_read_from_what_inspect_prints() -> None:
    told = {
        "Id": "sha256:ab",
        "Architecture": "arm64",
        "Os": "linux",
        "RepoDigests": ["app@sha256:cd"],
        "Config": {"User": "app", "Env": ["PATH=/bin", "EMPTY=", "A=b=c"], "Entrypoint": ["/start"], "Cmd": None},
    }
    config = config_of("app", told)

    assert config.variables == {"PATH": "/bin", "EMPTY": "", "A": "b=c"}
    assert (config.platform, config.user, config.entrypoint, config.command) == ("linux/arm64", "app", ("/start",), ())
    assert "linux/arm64" in other_architecture(config, ENGINE)
    assert other_architecture(CONFIG, ENGINE) == ""
    assert config_of("app", {"Config": "nonsense"}).variables == {}


def test_triggers_are_told_by_docker_and_by_the_history_that_podman_shows() -> None:
    rows = [{"created_by": "/bin/sh -c #(nop) ENV A=ONBUILD"}, {"created_by": "/bin/sh -c #(nop) ONBUILD COPY y /y"}, 7]
    podman = {"Config": {}, "ManifestType": "application/vnd.docker.distribution.manifest.v2+json", "History": rows}

    assert config_of("app", {"Config": {"OnBuild": ["COPY y /y"]}}).triggers == ("COPY y /y",)
    assert config_of("app", {"Config": {"OnBuild": None}}).triggers == ()
    assert config_of("app", podman).triggers == ("COPY y /y",)
    assert config_of("app", podman | {"ManifestType": "application/vnd.oci.image.manifest.v1+json"}).triggers == ()
    assert config_of("app", podman | {"History": "nonsense"}).triggers == ()


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        ("ENV DB_PASSWORD=hunter2 A=b", "ENV DB_PASSWORD=*** A=b"),
        ("--api-token='x y'", "--api-token=***"),
        (
            "RUN pip install --index-url https://me:hunter2@host/simple",
            "RUN pip install --index-url https://***@host/simple",
        ),
        ("RUN echo of-the-image", "RUN echo ***"),
        ("x" * 5000, "x" * 400),
    ],
)
def test_what_an_image_says_of_itself_is_recorded_without_its_secrets(text: str, recorded: str) -> None:
    assert told(text, {"ENVCHECK_INSIDE_TOKEN": "of-the-image"}) == recorded


def test_triggers_are_a_remark_that_says_where_they_run() -> None:
    seen = broken("libEGL.so.1: cannot open shared object file")
    assert seen.image is not None
    many = tuple(f"RUN step {number}" for number in range(9))
    found = conclude_cell(replace(seen, image=replace(seen.image, triggers=many, engine="docker 28"))).findings
    (remark,) = (one for one in found if one.code == "CTR316")

    assert remark.status is Status.UNKNOWN
    assert "RUN step 5; and 3 more" in remark.summary
    assert not any(one.code == "CTR316" for one in conclude_cell(seen).findings if one.status is not Status.SKIP)


def test_a_container_of_an_image_may_do_nothing_but_compute() -> None:
    words = boxes.argv(ENGINE, options_of(CONFIG, ENGINE, Wish(variables=(("A", "b"),)), "python3"))
    line = " ".join(words)

    for part in ("--network none", "--read-only", "--cap-drop ALL", "no-new-privileges", "--pids-limit", "--rm"):
        assert part in line
    assert "--env A=b" in line
    assert "--env GLOG_minloglevel" in line  # named without a value: taken away
    assert "--volume" not in line
    assert "--user" not in line


def test_gpus_are_handed_in_as_the_user_names_them() -> None:
    named = boxes.argv(ENGINE, options_of(CONFIG, ENGINE, Wish(gpus="device=1"), "python3"))
    none = boxes.argv(ENGINE, options_of(CONFIG, ENGINE, Wish(gpus="none"), "python3"))

    assert "device=1" in named
    assert "--gpus" not in none


def test_a_limit_of_production_is_one_here() -> None:
    words = boxes.argv(ENGINE, options_of(CONFIG, ENGINE, Wish(extra=("--memory=512m",)), "python3"))

    assert words.index("--memory=512m") < words.index(CONFIG.id)


def test_a_program_in_a_container_is_known_by_its_mark_and_nothing_else_is() -> None:
    plan = boxes.entering(ENGINE, "a" * 64, "/usr/bin/python3", ("GLOG_vmodule",))
    one, other = boxes.marked(plan), boxes.marked(plan)
    inner = boxes.inner_of([*one, "-I", "-c", "pass"], {})

    assert one != other
    assert inner is not None
    assert (inner.name, inner.words, inner.mark.startswith(MARK)) == ("a" * 64, ("docker",), True)
    assert boxes.inner_of(["python3", "-c", "pass"], {}) is None


def test_the_process_with_the_mark_is_found_only_in_its_own_container(tmp_path: Path) -> None:
    inner = boxes.inner_of(boxes.marked(boxes.entering(ENGINE, "c" * 64, "python3", ())), {})
    assert inner is not None
    rows = {"7": ("c" * 64, inner.mark, 900), "8": ("c" * 64, inner.mark, 800), "9": ("d" * 64, inner.mark, 1)}
    for pid, (group, mark, tick) in rows.items():
        folder = tmp_path / pid
        folder.mkdir()
        (folder / "cmdline").write_bytes(f"python3\0-X\0{mark}\0".encode())
        (folder / "cgroup").write_text(f"0::/docker/{group}\n", encoding="utf-8")
        (folder / "stat").write_text(f"{pid} (python3) S " + "0 " * 18 + f"{tick} 0\n", encoding="utf-8")

    assert inner.host_pid(tmp_path) == 8


# --- which Python -----------------------------------------------------------------------------------------------------


def test_what_the_image_starts_and_its_environments_are_tried_before_its_search_path() -> None:
    config = Config(
        "a", "b", command=("/srv/bin/python", "app.py"), variables={"VIRTUAL_ENV": "/v", "CONDA_PREFIX": ""}
    )

    assert candidates(config) == ("/srv/bin/python", "/v/bin/python", "python3", "python")


def test_the_python_with_mediapipe_is_taken_and_the_reason_is_told() -> None:
    answer = parse(json.dumps(ANSWER).encode())
    assert answer is not None
    chosen = choose(answer)

    assert chosen.python == "/opt/venv/bin/python"
    assert "MediaPipe 1.2.2" in chosen.because
    assert choose(replace(answer, found={"mediapipe": "0.10.35"})).python == "/usr/bin/python3"
    assert choose(replace(answer, pythons=())).python == "/usr/bin/python3"


@pytest.mark.parametrize("line", [b"", b"{}", b"hello", b"[" * 100_000, b'{"version": [3, 11, 2], "prefix": "/"}'])
def test_what_is_no_answer_is_no_python(line: bytes) -> None:
    assert parse(line) is None


def test_paths_that_steer_a_terminal_or_a_shell_are_not_taken() -> None:
    bad = ANSWER | {"pythons": [{"path": "/x\n/y", "mediapipe": "1"}, {"path": "relative", "mediapipe": "1"}]}
    answer = parse(json.dumps(bad).encode())

    assert answer is not None
    assert answer.pythons == ()
    assert parse(json.dumps(ANSWER | {"executable": "\x1b[2J"}).encode()) is None


def test_files_that_could_not_be_read_are_not_files_without_python() -> None:
    assert isinstance(files.files_of(b'{"unread": "exit status 1"}'), Unread)
    assert isinstance(files.files_of(b""), Unread)
    assert files.files_of(b'{"pythons": [], "shells": [], "files": 3}') == files.Files((), (), 3)


# --- remedies ---------------------------------------------------------------------------------------------------------


def broken(error: str, *, user: str = "") -> Evidence:
    """An image in which MediaPipe cannot be imported."""
    image = Image(reference="app:1", id="sha256:ab", user=user, python="/opt/venv/bin/python")
    cpu = WorkerRun("CPU", "import-failed", stage="import", error_type="ImportError", error=error)
    system = replace(HEALTHY.system, name="Debian GNU/Linux 12 (bookworm)")
    seen = looked_at(replace(HEALTHY, system=system), build=Build(outcome="existing"), image=image, cpu=cpu)
    return replace(seen, cell=Cell(id="image", axes=Axes(backend="image")))


def remedies_of(evidence: Evidence) -> tuple[CellResult, tuple[Remedy, ...]]:
    """The row, and what may mend it."""
    row = conclude_cell(evidence)
    return row, remedies(evidence, judge(evidence), row.findings)


def test_a_missing_library_is_installed_and_the_lines_give_the_user_back() -> None:
    row, found = remedies_of(broken("libEGL.so.1: cannot open shared object file: No such file or directory"))
    proof = prescription.proof(CONFIG, found[0], row, None, "not now")

    assert found[0].code == "MPP405"
    assert "libegl1 libgles2" in proof.dockerfile
    assert proof.dockerfile.splitlines()[0] == "USER root"
    assert proof.dockerfile.splitlines()[-1] == "USER app"
    assert (proof.docker_run, proof.compose, proof.kubernetes, proof.mended) == ("", "", "", False)


def test_variables_are_told_in_every_form_that_people_deploy_with() -> None:
    row, _ = remedies_of(broken("something else"))
    remedy = Remedy(code="EGL220", title="set", variables=(("EGL_PLATFORM", ""),), gpus=True)
    proof = prescription.proof(CONFIG, remedy, row, row, "")

    assert proof.dockerfile == 'ENV EGL_PLATFORM=""'
    assert proof.docker_run == "docker run --gpus all -e EGL_PLATFORM= app:1"
    assert 'EGL_PLATFORM: ""' in proof.compose
    assert "nvidia.com/gpu: 1" in proof.kubernetes
    assert proof.mended  # the finding is not there at all


def test_the_next_missing_library_is_another_cause() -> None:
    first, found = remedies_of(broken("libGL.so.1: cannot open shared object file"))
    second, _ = remedies_of(broken("libEGL.so.1: cannot open shared object file"))

    assert prescription.is_gone(found[0], first, second)
    assert not prescription.is_gone(found[0], first, first)
    assert proving.helped(found[0], first, second)
    assert not proving.helped(found[0], first, first)


@pytest.mark.parametrize("verdict", ["broken", "crashed", "unknown"])
def test_a_remedy_that_breaks_the_image_has_mended_nothing(verdict: str) -> None:
    """What the finding saw is not seen any more, because nobody came as far."""
    before, after = (conclude_cell(as_if_seen(name)) for name in ("refused", verdict))
    finding = next(one for one in before.findings if one.status is Status.FAIL)
    remedy = Remedy(code=finding.code, title="break it")
    proof = prescription.proof(CONFIG, remedy, before, after, "")

    assert (proof.mended, proof.worse) == (False, True)
    assert not proving.helped(remedy, before, after)
    assert "does no good" in prescription.sentence(proof)


def test_what_was_not_looked_for_is_not_gone() -> None:
    before = conclude_cell(as_if_seen("refused"))
    finding = next(one for one in before.findings if one.status is Status.FAIL)
    waiting = replace(before, findings=(replace(finding, status=Status.SKIP),))

    assert not prescription.is_gone(Remedy(code=finding.code, title="x"), before, waiting)
    assert prescription.is_gone(Remedy(code=finding.code, title="x"), before, replace(before, findings=()))


def test_nothing_that_an_image_tells_of_itself_becomes_a_command() -> None:
    evidence = broken("No module named 'mediapipe'", user="app")
    assert evidence.image is not None
    hostile = replace(evidence, image=replace(evidence.image, python="/opt/$(reboot)/bin/python\nRUN x"))
    _, found = remedies_of(hostile)

    assert all("reboot" not in line for remedy in found for line in remedy.lines)


def test_a_scratch_image_has_the_certificates_only_while_it_is_built() -> None:
    text = prescription.scratch_dockerfile(
        "app:1", "app", ["RUN pip install x"], "ca.crt", ("PIP_CERT",), ("HTTPS_PROXY",), "of=run"
    )

    assert text.splitlines() == [
        "FROM app:1",
        "LABEL of=run",
        "USER root",
        "ARG HTTPS_PROXY",
        "COPY ca.crt /ca.crt",
        "ARG PIP_CERT=/ca.crt",
        "RUN pip install x",
        "USER app",
    ]


def test_every_remedy_is_of_a_rule() -> None:
    from envcheck import rules

    assert set(BY_CODE) <= set(rules.BY_CODE)


def test_later_variables_win() -> None:
    assert with_variables(Wish(variables=(("A", "1"),)), (("A", "2"), ("B", ""))).variables == (("A", "2"), ("B", ""))


PLAIN = """Step 2/2 : RUN cat /x
 ---> Running in ad7f46f8ada0
\x1b[91mcat: /x: No such file or directory
\x1b[0mThe command '/bin/sh -c cat /x' returned a non-zero code: 1
exit status 1"""
BUILDKIT = """#5 [stage-0 2/2] RUN cat /x
#5 6.833 cat: /x: No such file or directory
#5 ERROR: executor failed running [/bin/sh -c cat /x]: exit code: 1
------
 > [stage-0 2/2] RUN cat /x:
------
executor failed running [/bin/sh -c cat /x]: exit code: 1
exit status 1"""
BUILDX = """#5 [2/2] RUN cat /x
#5 0.210 cat: /x: No such file or directory
#5 ERROR: process "/bin/sh -c cat /x" did not complete successfully: exit code: 1
------
 > [2/2] RUN cat /x:
0.210 cat: /x: No such file or directory
------
Dockerfile:2
--------------------
   1 |     FROM app
   2 | >>> RUN cat /x
--------------------
ERROR: failed to solve: process "/bin/sh -c cat /x" did not complete successfully: exit code: 1
exit status 1"""


@pytest.mark.parametrize("log", [PLAIN, BUILDKIT, BUILDX], ids=["the plain builder", "BuildKit", "buildx"])
def test_the_cause_of_a_failed_build_is_the_line_that_tells_it(log: str) -> None:
    assert scratch.cause_in(log).endswith(": cat: /x: No such file or directory")


def test_a_folder_without_a_dockerfile_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        scratch.place_of(tmp_path)
    (tmp_path / "Containerfile").write_text("FROM scratch\n", encoding="utf-8")
    assert scratch.place_of(tmp_path) == (tmp_path, tmp_path / "Containerfile")


def test_pythons_of_an_image_are_records() -> None:
    assert PythonInside(path="/usr/bin/python3").mediapipe is None
