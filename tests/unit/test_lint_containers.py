"""Dockerfiles, shell text, YAML and options in their parts; and whatever they hold, there is an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.lint import BY_CODE, Finding, Level, lint
from envcheck.lint.bases import base_of
from envcheck.lint.dockerfile import instructions, stages
from envcheck.lint.installs import listed
from envcheck.lint.kinds import COMPOSE, DOCKERFILE, PYTHON, SHELL, kind_of
from envcheck.lint.shell import commands
from envcheck.lint.textual import decoded, joined
from envcheck.lint.yamltext import documents
from envcheck.pages import page
from envcheck.report import sarif

ALL = frozenset(BY_CODE)


def found(path: str, text: str | bytes, files: Mapping[str, bytes] | None = None, **more: str) -> list[Finding]:
    data = text if isinstance(text, bytes) else text.encode()
    return lint(path, data, codes=ALL, beside=(files or {}).get, driver=more.get("driver", ""))


def codes(path: str, text: str | bytes, files: Mapping[str, bytes] | None = None) -> list[str]:
    return [finding.code for finding in found(path, text, files)]


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("Dockerfile", b"", DOCKERFILE),
        ("a/Containerfile", b"", DOCKERFILE),
        ("gpu.Dockerfile", b"", DOCKERFILE),
        ("Dockerfile.gpu", b"", DOCKERFILE),
        ("Dockerfile.j2", b"", PYTHON),
        ("dockerfile.js", b"", PYTHON),
        ("Dockerfile.yml", b"a: b", None),
        ("docker-compose.gpu.yml", b"", COMPOSE),
        ("compose.yaml", b"", COMPOSE),
        ("run.sh", b"", SHELL),
        ("Makefile", b"", SHELL),
        ("app.yaml", b"services:\n", COMPOSE),
        ("pod.yml", b"kind: Pod\n# nvidia.com/gpu", COMPOSE),
        ("helm.yml", b"kind: Pod\n# nvidia.com/gpu {{ x }}", None),
        ("ci.yml", b"on: push", None),
        ("-", b"# syntax=x\nARG A=1\nFROM a", DOCKERFILE),
        ("-", b"from a import b", PYTHON),
        ("app.py", b"FROM a", PYTHON),
    ],
)
def test_a_file_is_known_by_its_name_and_else_by_its_content(path: str, data: bytes, kind: str | None) -> None:
    assert kind_of(path, data) == kind


def words(text: str, variables: Mapping[str, str] | None = None) -> list[list[str]]:
    return [[word.text for word in command] for command in commands(joined([(text, 0)]), variables)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b && c || d; e | f &", [["a", "b"], ["c"], ["d"], ["e"], ["f"]]),
        ("pip install mediapipe>=0.10", [["pip", "install", "mediapipe"]]),
        ("pip install 'a>=1' \"b<2\" c\\>3", [["pip", "install", "a>=1", "b<2", "c>3"]]),
        ("A=1 sudo -E env B=2 a # b\nc#d", [["a"], ["c#d"]]),
        ("if [ -f x ]; then a; else b; fi", [["[", "-f", "x", "]"], ["a"], ["b"], ["fi"]]),
        ("a > x 2>&1 b", [["a", "b"]]),
        ("a $X ${X} ${Y:-y} ${Y:+n} '$X' $(c d)", [["a", "1", "1", "y", "", "$X", "$(c d)"]]),
        ("a \"x y\"'z'w", [["a", "x yzw"]]),
    ],
)
def test_shell_text_is_split_as_a_shell_does(text: str, expected: list[list[str]]) -> None:
    assert words(text, {"X": "1"}) == expected


def test_words_know_their_places_across_continuations() -> None:
    text = decoded("Dockerfile", b"FROM a\nRUN b \\\n  # c\n\n  'd e' \\\n  f\n")
    run = instructions(text)[1]

    places = [(word.text, text.at(word.start)) for command in commands(run.words) for word in command]
    assert places == [("b", (2, 5)), ("d e", (5, 3)), ("f", (6, 3))]


def test_stages_have_names_platforms_and_global_arguments() -> None:
    text = decoded("Dockerfile", b"ARG V=3\nFROM --platform=linux/arm64 a:${V} AS One\nRUN x\nfrom one\nENV A b c\n")
    one, two = stages(text, instructions(text))

    assert (one.image, one.name, one.platform, [i.keyword for i in one.body]) == ("a:3", "one", "linux/arm64", ["RUN"])
    assert (two.image, [i.keyword for i in two.body]) == ("one", ["ENV"])


def test_heredocs_are_bodies_and_no_instructions() -> None:
    text = decoded("Dockerfile", b"FROM a\nRUN <<-A cat <<'B'\nFROM x\n\tA\ny\nB\nUSER z\n")
    made = instructions(text)

    assert [one.keyword for one in made] == ["FROM", "RUN", "USER"]
    assert [(name, body.text) for name, body in made[1].heredocs] == [("A", "FROM x\n"), ("B", "y\n")]


@pytest.mark.parametrize(
    ("image", "family", "bare", "python", "cuda"),
    [
        ("python:3.12-slim", "debian", True, "3.12", ""),
        ("docker.io/library/python:3.11.9", "debian", True, "3.11.9", ""),
        ("python:3.12-alpine3.20", "alpine", False, "3.12", ""),
        ("nvcr.io/nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04", "debian", True, "3.12", "12.8.1"),
        ("nvidia/cuda:12.8.1-base-ubi9@sha256:abc", "fedora", True, "", "12.8.1"),
        ("ubuntu:22.04", "debian", True, "3.10", ""),
        ("ghcr.io/me/python:3.12", "", False, "", ""),
        ("localhost:5000/a", "", False, "", ""),
        ("${BASE}", "", False, "", ""),
    ],
)
def test_base_images_are_known_by_their_names(image: str, family: str, bare: bool, python: str, cuda: str) -> None:
    base = base_of(image)

    assert (base.family, base.bare, base.python, base.cuda) == (family, bare, python, cuda)


def test_requirements_with_options_markers_and_hashes_are_read() -> None:
    text = "-i https://x\na==1 --hash=sha256:00 \\\n  --hash=sha256:11\nb ; sys_platform == 'win32'\nc # d\n./local\n"
    wanted, complete = listed(text)

    assert [str(one) for one in wanted] == ["a==1", "c"]
    assert not complete


def test_merge_keys_give_way_to_own_keys_and_no_tag_is_obeyed() -> None:
    text = decoded("compose.yaml", b"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: !!python/none x\n")
    root = documents(text)[0]

    assert [[value.text for value in (root.at("b", "x"), root.at("b", "y"), root.get("c")) if value]] == [
        ["1", "3", "x"]
    ]


FACEMESH = b"FROM python:3.12\nRUN pip install mediapipe\n"


def test_a_service_knows_the_image_that_its_dockerfile_makes() -> None:
    service = "  a:\n    build: {context: app, dockerfile: gpu.Dockerfile}\n    gpus: all\n"
    text = f"services:\n{service}  b: {{image: c, gpus: all}}\n"
    graphics = FACEMESH + b"ENV NVIDIA_DRIVER_CAPABILITIES=all\n"

    assert codes("compose.yaml", text) == []
    (finding,) = found("compose.yaml", text, {"app/gpu.Dockerfile": FACEMESH})
    assert (finding.code, finding.line, finding.level) == ("SRC840", 4, Level.WARNING)
    assert codes("compose.yaml", text, {"app/gpu.Dockerfile": graphics}) == []


def test_a_run_line_knows_the_dockerfile_beside_it() -> None:
    text = "docker run --gpus all app\n"

    assert codes("run.sh", text) == []
    assert codes("run.sh", text, {"Dockerfile": FACEMESH}) == ["SRC850"]
    assert codes("run.sh", text, {"Dockerfile": FACEMESH + b"ENV NVIDIA_DRIVER_CAPABILITIES=all"}) == []


WITHOUT_GRAPHICS = "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=utility mediapipe"


@pytest.mark.parametrize(
    "line",
    [
        "docker --context lab run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=utility mediapipe",
        "docker -D -H tcp://h:1 container run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=utility mediapipe",
        "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=utility -- mediapipe",
        "nvidia-docker run -eNVIDIA_DRIVER_CAPABILITIES=utility mediapipe",
        f"sudo -E -u deploy {WITHOUT_GRAPHICS}",
        f"env -u X A=b {WITHOUT_GRAPHICS}",
        f"timeout 10 {WITHOUT_GRAPHICS}",
        f"ssh host {WITHOUT_GRAPHICS}",
        f"ssh host '{WITHOUT_GRAPHICS}'",
        f'bash -ec "{WITHOUT_GRAPHICS}"',
        f"id=$({WITHOUT_GRAPHICS})",
        f'echo "$({WITHOUT_GRAPHICS})"',
        f"id=`{WITHOUT_GRAPHICS}`",
    ],
)
def test_a_container_is_seen_however_it_is_started(line: str) -> None:
    (spot,) = found("run.sh", f"#!/bin/sh\n{line}\n")
    assert (spot.code, spot.line) == ("SRC850", 2)
    assert spot.column <= line.index("NVIDIA_DRIVER") + 1 <= spot.end_column


@pytest.mark.parametrize(
    "line",
    [
        f"echo {WITHOUT_GRAPHICS}",
        "docker compose run --gpus all mediapipe",
        "docker image create --gpus all mediapipe",
        "docker --context",
        "docker run --",
        "timeout 10",
        "sudo -u",
        "docker build -t mediapipe . run",
    ],
)
def test_what_starts_no_container_says_nothing(line: str) -> None:
    assert codes("run.sh", f"#!/bin/sh\n{line}\n") == []


ONBUILD = """
FROM python:3.11-slim AS base
ONBUILD RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
ONBUILD ARG VERSION=1.2.2
ONBUILD RUN --mount=type=cache,target=/x <<EOF
pip install mediapipe==$VERSION
EOF
"""


def test_triggers_run_in_the_stage_that_is_from_theirs_and_nowhere_else() -> None:
    child, grandchild = "FROM base AS child\n", "FROM child\nRUN pip install mediapipe==0.10.31\n"
    assert codes("Dockerfile", ONBUILD + child) == []
    assert codes("Dockerfile", ONBUILD) == []
    (spot,) = found("Dockerfile", ONBUILD.replace("1.2.2", "1.0.0") + child)
    assert (spot.code, spot.line) == ("SRC833", 6)
    assert codes("Dockerfile", ONBUILD + child + grandchild) == ["SRC833"]
    late = ONBUILD.replace("ONBUILD ", "", 1) + "FROM debian:12\nRUN pip install mediapipe==1.2.2\n"
    assert codes("Dockerfile", late) == ["SRC831", "SRC832"]


def test_what_an_image_with_triggers_brings_nobody_knows() -> None:
    assert base_of("python:3.6-onbuild") == base_of("of/somebody:1")
    assert codes("Dockerfile", "FROM python:3.6-onbuild\nRUN pip install mediapipe\n") == []


def test_an_image_that_nobody_knows_makes_it_a_remark() -> None:
    (finding,) = found("run.sh", "docker run --gpus all mediapipe-app\n")

    assert (finding.code, finding.level) == ("SRC850", Level.NOTE)


def test_a_compose_file_beside_it_can_give_graphics_to_a_gpu_image() -> None:
    text = "FROM nvidia/cuda:12.4.1-base-ubuntu22.04\nRUN curl x | sh && pip install mediapipe\n"
    gives = b"environment:\n  - NVIDIA_DRIVER_CAPABILITIES=compute,graphics\n"

    assert codes("Dockerfile", text) == ["SRC830"]
    assert codes("Dockerfile", text, {"compose.yaml": gives}) == []


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"pyproject.toml": b'[project]\ndependencies = ["mediapipe==1.0.0"]'}, "1.0.0"),
        ({"pyproject.toml": b'[tool.poetry.dependencies]\nmediapipe = "0.10.31"'}, "0.10.31"),
        (
            {
                "pyproject.toml": b'[project]\ndependencies = ["mediapipe"]',
                "uv.lock": b'[[package]]\nname = "mediapipe"\nversion = "0.10.30"\n',
            },
            "0.10.30",
        ),
    ],
)
def test_projects_and_their_locks_name_the_version(files: dict[str, bytes], version: str) -> None:
    (finding,) = [one for one in found("Dockerfile", "FROM x\nCOPY . .\nRUN uv sync\n", files) if one.code == "SRC833"]

    assert f"MediaPipe {version} " in finding.message


def test_a_wheel_of_ones_own_and_an_unknown_version_say_nothing() -> None:
    assert codes("Dockerfile", "FROM python:3.13-slim\nRUN pip install ./mediapipe-0.10.31-py3-none-any.whl\n") == []
    assert codes("Dockerfile", "FROM x\nARG V\nRUN pip install mediapipe==$V\n") == []
    assert codes("Dockerfile", "FROM x\nRUN pip install mediapipe==9.9.9\n") == []


def test_the_driver_is_held_against_the_base_image_of_the_last_stage() -> None:
    text = "FROM nvidia/cuda:13.0.0-devel-ubuntu24.04 AS a\nFROM nvidia/cuda:12.4.1-base-ubuntu22.04\n"

    assert [f.code for f in found("Dockerfile", text, driver="570")] == []
    assert [(f.code, f.line) for f in found("Dockerfile", text, driver="470.57.02")] == [("SRC837", 2)]


@pytest.mark.parametrize(
    ("path", "data", "line"),
    [
        ("Dockerfile", b"\x7fELF\x00\xff", 1),
        ("Dockerfile", b"FROM a\n\x00", 2),
        ("Dockerfile", b"FROM a\nHELLO\n", 2),
        ("Dockerfile", b"", 1),
        ("Dockerfile", b"FROM\n", 1),
        ("Dockerfile", "FROM a".encode("utf-16"), 1),
        ("compose.yaml", b"services:\n  a: [\n", 3),
        ("compose.yaml", b"a: " + b"[" * 500, 1),
        ("compose.yaml", b'a: "\\UFFFFFFFF"', 1),
        ("compose.yaml", b"services:\n" + b"# x\n" * 300_000, 1),
        ("run.sh", b"\xff\xfe\x00", 1),
    ],
)
def test_what_cannot_be_read_is_a_finding(path: str, data: bytes, line: int) -> None:
    assert [(f.code, f.line) for f in found(path, data)] == [("SRC800", line)]


def test_the_same_stage_is_read_once_however_often_it_is_copied() -> None:
    lines = "".join(f"FROM a AS s{n + 1}\nCOPY --from=s{n} /opt /opt\nCOPY --from=s{n} /app /app\n" for n in range(150))

    assert codes("Dockerfile", f"FROM a AS s0\nRUN x\n{lines}") == []


def test_mappings_that_merge_each_other_many_times_are_read_once() -> None:
    rows = "".join(f"b{n}: &b{n} {{<<: [*b{n - 1}, *b{n - 1}]}}\n" for n in range(1, 60))

    assert codes("compose.yaml", f"b0: &b0 {{x: 1}}\n{rows}services:\n  mediapipe: *b59\n") == []


def test_pages_and_sarif_show_remedies_in_their_language() -> None:
    (rule,) = [sarif.rule(BY_CODE["SRC831"])]

    assert "```dockerfile\nRUN apt-get" in json.dumps(rule["help"]).replace("\\n", "\n")
    assert "    RUN apt-get update" in page("SRC831")


PIECES = st.sampled_from(
    [
        "FROM a", "FROM python:3.12-slim AS b", "RUN pip install mediapipe", "RUN <<EOF", "EOF", "\\", "# x", "ENV A=b",
        "COPY --from=b / /", "ARG X", "RUN apt-get install -y", "services:", "  a: &a", "    <<: *a", "    gpus: all",
        "    image: mediapipe", "docker run --gpus all", " -e A=b", "  - x", "'", '"', "${A:-", "RUN [", '"pip"]', "{",
        "# envcheck: ignore[SRC831] x", "    environment:", "      - DISPLAY=:0", "kind: Pod",
        "spec: {containers: [{}]}", "]",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25), st.sampled_from(["Dockerfile", "compose.yaml", "run.sh"]), st.binary(max_size=20))
def test_any_text_gets_an_answer(pieces: list[str], path: str, tail: bytes) -> None:
    for data in ("\n".join(pieces).encode(), "\n".join(pieces).encode() + tail):
        for finding in found(path, data, {"Dockerfile": FACEMESH}):
            assert finding.code in BY_CODE
            assert (finding.end_line, finding.end_column) >= (finding.line, finding.column) >= (1, 1)


def test_a_file_of_limits_that_cannot_be_read_leaves_the_version_open() -> None:
    start = "FROM python:3.12-slim\nRUN pip install"

    assert codes("Dockerfile", f"{start} mediapipe opencv-python-headless\n") == ["SRC831", "SRC836"]
    assert codes("Dockerfile", f"{start} -c limits.txt mediapipe opencv-python-headless\n") == []
    assert codes("Dockerfile", f"{start} -r requirements.txt mediapipe opencv-python-headless\n") == []
    assert "SRC831" in codes("Dockerfile", f"{start} -r requirements.txt mediapipe==1.2.2\n")


@pytest.mark.parametrize("system", ["ubuntu:18.04", "nvidia/cuda:12.1.0-base-ubuntu20.04", "centos:7"])
def test_an_old_system_takes_no_new_wheels_and_nobody_knows_which(system: str) -> None:
    text = f"FROM {system}\nENV NVIDIA_DRIVER_CAPABILITIES=all\nRUN pip install opencv-python-headless torch mediapipe"

    assert codes("Dockerfile", text) == []
    assert "SRC831" in codes("Dockerfile", f"{text}==1.2.2")
