from __future__ import annotations

import pytest

from envcheck.errors import UsageError
from envcheck.model import Axes
from envcheck.plan import Backend, File, Plan, Step, fill, render, venv


def cell(**axes: str | None) -> Axes:
    return Axes(backend="venv", **axes)


def test_the_module_is_a_backend() -> None:
    backend: Backend = venv

    assert backend.name == "venv"


# --- requirements --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (cell(), ("mediapipe",)),
        (cell(mediapipe="1.2.2"), ("mediapipe==1.2.2",)),
        (cell(mediapipe="1.2.2", driver="570", python="3.11"), ("mediapipe==1.2.2",)),
        (cell(cuda="11.8"), ("mediapipe", "nvidia-cuda-runtime-cu11==11.8.*")),
        (cell(cuda="12.8"), ("mediapipe", "nvidia-cuda-runtime-cu12==12.8.*")),
        (cell(cuda="12.10"), ("mediapipe", "nvidia-cuda-runtime-cu12==12.10.*")),
        (cell(cuda="12.8.1"), ("mediapipe", "nvidia-cuda-runtime-cu12==12.8.*")),
        (cell(cuda="13.0"), ("mediapipe", "nvidia-cuda-runtime==13.0.*")),
        (cell(cuda="14"), ("mediapipe", "nvidia-cuda-runtime==14.*")),
        (cell(opencv="4.11"), ("mediapipe", "opencv-contrib-python==4.11.*")),
        (cell(opencv="4.11.0.86"), ("mediapipe", "opencv-contrib-python==4.11.0.86.*")),
        (cell(opencv="5.0rc1"), ("mediapipe", "opencv-contrib-python==5.0rc1")),
        (cell(opencv="<5"), ("mediapipe", "opencv-contrib-python<5")),
        (cell(opencv="headless"), ("mediapipe", "opencv-contrib-python-headless")),
        (cell(opencv="headless4.11"), ("mediapipe", "opencv-contrib-python-headless==4.11.*")),
    ],
    ids=str,
)
def test_requirements_of_a_cell(axes: Axes, expected: tuple[str, ...]) -> None:
    assert venv.requirements(axes) == expected


@pytest.mark.parametrize(
    ("axes", "named"),
    [
        (cell(mediapipe="latest"), "axis mediapipe: 'latest'"),
        (cell(cuda="twelve"), "axis cuda: 'twelve'"),
        (cell(opencv="none"), "axis opencv: 'none'"),
        (cell(opencv="headlessly"), "axis opencv: 'headlessly'"),
    ],
    ids=["mediapipe", "cuda", "opencv", "headless"],
)
def test_a_value_that_is_no_version_is_a_usage_error_naming_the_axis(axes: Axes, named: str) -> None:
    with pytest.raises(UsageError, match="is n") as caught:
        venv.resolve(axes)

    assert str(caught.value).startswith(named)
    assert caught.value.remedy


def test_headless_leaves_out_what_mediapipe_asks_for() -> None:
    plan = venv.resolve(cell(opencv="headless"))

    assert File("overrides.txt", 'opencv-contrib-python ; python_version < "0"\n') in plan.steps[0].files
    assert "--overrides" in plan.steps[0].argv


def test_nothing_is_left_out_otherwise() -> None:
    plan = venv.resolve(cell(opencv="<5"))

    assert [file.path for file in plan.steps[0].files] == ["requirements.in"]
    assert "--overrides" not in plan.steps[0].argv


@pytest.mark.parametrize(("given", "wanted"), [("3.12", "3.12"), (None, "")], ids=["named", "left-out"])
def test_the_interpreter_wanted_of_the_host(given: str | None, wanted: str) -> None:
    assert venv.python(cell(python=given)) == wanted


# --- plans ---------------------------------------------------------------------------------------------------------


def test_equal_cells_have_equal_plans_and_unequal_locks_unequal_ones() -> None:
    axes = cell(mediapipe="1.2.2")

    assert venv.resolve(axes).key == venv.resolve(cell(mediapipe="1.2.2", driver="580")).key
    assert venv.resolve(axes).key != venv.resolve(cell(mediapipe="1.2.1")).key
    assert venv.build(axes, "a").key == venv.build(axes, "a").key
    assert venv.build(axes, "a").key != venv.build(axes, "b").key


def test_only_hashed_wheels_are_installed() -> None:
    resolve, build = venv.resolve(cell()), venv.build(cell(), "")

    assert {"--generate-hashes", "--no-build"} <= set(resolve.steps[0].argv)
    assert {"--require-hashes", "--no-build"} <= set(build.steps[-1].argv)


def test_the_interpreter_inside_follows_the_root() -> None:
    assert fill(venv.build(cell(), "").python, {"{root}": "/store/ab"}) == ("/store/ab/venv/bin/python",)


def test_other_braces_are_left_alone() -> None:
    assert fill(("{{json .}}", "{root}/x{root}"), {"{root}": "/r"}) == ("{{json .}}", "/r/x/r")


def test_a_dry_run_shows_files_commands_and_what_comes_out() -> None:
    text = render(venv.resolve(cell(mediapipe="1.2.2", opencv="headless")))

    assert text == (
        "# resolving\n"
        "# file {root}/requirements.in:\n"
        "    mediapipe==1.2.2\n"
        "    opencv-contrib-python-headless\n"
        "# file {root}/overrides.txt:\n"
        '    opencv-contrib-python ; python_version < "0"\n'
        "{uv} pip compile requirements.in --python {python} --overrides overrides.txt --generate-hashes --no-annotate "
        "--no-header --output-file lock.txt --color never --no-progress --no-build\n"
        "# result: {root}/lock.txt\n"
    )


def test_a_dry_run_shows_environment_interpreter_and_clean_up() -> None:
    plan = Plan(
        steps=(Step("building", ("docker", "build", "-t", "a b", "."), env=(("MODE", "x y"),)),),
        python=("docker", "run", "a b", "python"),
        cleanup=(Step("removing the image", ("docker", "rmi", "a b")),),
    )

    assert render(plan) == (
        "# building\n"
        "MODE='x y' docker build -t 'a b' .\n"
        "# python: docker run 'a b' python\n"
        "# clean-up\n"
        "# removing the image\n"
        "docker rmi 'a b'\n"
    )


# --- what uv says when it cannot (recorded from uv 0.8.0 and 0.13.8) ------------------------------------------------

ABI_13 = """\
error: No solution found when resolving dependencies
  cause: Because mediapipe==0.10.9 has no wheels with a matching Python ABI tag (e.g., `cp313`) and you require \
mediapipe==0.10.9, we can conclude that your requirements are unsatisfiable.

hint: You require CPython 3.13 (`cp313`), but we only found wheels for `mediapipe` (v0.10.9) with the following Python \
ABI tags: `cp38`, `cp39`, `cp310`, `cp311`
"""
ABI_8 = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because mediapipe==0.10.9 has no wheels with a matching Python ABI tag
      (e.g., `cp313`) and you require mediapipe==0.10.9, we can conclude that
      your requirements are unsatisfiable.

      hint: You require CPython 3.13 (`cp313`), but we only found wheels
      for `mediapipe` (v0.10.9) with the following Python ABI tags: `cp38`,
      `cp39`, `cp310`, `cp311`
"""
PLATFORM = """\
error: No solution found when resolving dependencies
  cause: Because mediapipe==0.10.21 has no wheels with a matching platform tag (e.g., `manylinux_2_28_aarch64`) and \
you require mediapipe==0.10.21, we can conclude that your requirements are unsatisfiable.

hint: Wheels are available for `mediapipe` (v0.10.21) on the following platforms: `manylinux_2_28_x86_64`, `win_amd64`
"""
NO_VERSION = """\
error: No solution found when resolving dependencies
  cause: Because there is no version of mediapipe==9.9 and you require mediapipe==9.9, we can conclude that your \
requirements are unsatisfiable.
"""
NO_PACKAGE = """\
error: No solution found when resolving dependencies
  cause: Because nvidia-cuda-runtime-cu10 was not found in the package registry and you require \
nvidia-cuda-runtime-cu10==10.2.*, we can conclude that your requirements are unsatisfiable.
"""
CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because opencv-contrib-python>=5.0.0.93 depends on numpy>=2 and mediapipe==0.10.21 depends on numpy<2, we can \
conclude that mediapipe==0.10.21 and opencv-contrib-python>=5.0.0.93 are incompatible.
         And because you require mediapipe==0.10.21, we can conclude that your requirements are unsatisfiable.
"""
TAG_21 = "mediapipe==0.10.21 has no wheels with a matching platform tag (e.g., manylinux_2_28_aarch64)"
TAGS = "mediapipe==0.10.9 has no wheels with a matching Python ABI tag (e.g., cp313)"


@pytest.mark.parametrize(
    ("output", "because"),
    [
        (ABI_13, f"{TAGS}; there are wheels for cp38, cp39, cp310, cp311"),
        (ABI_8, f"{TAGS}; there are wheels for cp38, cp39, cp310, cp311"),
        (
            PLATFORM,
            f"{TAG_21}; there are wheels for manylinux_2_28_x86_64, win_amd64",
        ),
        (NO_VERSION, "there is no version of mediapipe==9.9"),
        (NO_PACKAGE, "nvidia-cuda-runtime-cu10 was not found in the package registry"),
        (CONFLICT, "opencv-contrib-python>=5.0.0.93 depends on numpy>=2 and mediapipe==0.10.21 depends on numpy<2"),
    ],
    ids=["python", "python-uv-0.8", "platform", "no-version", "no-package", "conflict"],
)
def test_no_set_of_wheels_is_no_wheel_with_the_reason_in_one_sentence(output: str, because: str) -> None:
    found = venv.diagnose(output)

    assert (found.outcome, found.because) == ("no-wheel", because)


REFUSED = """\
error: Request failed after 3 retries in 10.6s
  cause: Failed to fetch: http://127.0.0.1:9/simple/mediapipe/
  cause: error sending request for url (http://127.0.0.1:9/simple/mediapipe/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
REFUSED_8 = """\
error: Failed to fetch: `http://127.0.0.1:9/simple/mediapipe/`
  Caused by: error sending request for url (http://127.0.0.1:9/simple/mediapipe/)
  Caused by: Connection refused (os error 111)
"""
SERVER = """\
error: Failed to fetch: http://127.0.0.1:9/simple/mediapipe/
  cause: HTTP status server error (503 Service Unavailable) for url (http://127.0.0.1:9/simple/mediapipe/)
"""
UNAUTHORISED = """\
error: No solution found when resolving dependencies
  cause: Because mediapipe was not found in the package registry and you require mediapipe==0.10.21, we can conclude \
that your requirements are unsatisfiable.

hint: An index URL (http://127.0.0.1:9/simple) could not be queried due to a lack of valid authentication credentials \
(401 Unauthorized)
"""
EMPTY_INDEX = """\
error: No solution found when resolving dependencies
  cause: Because mediapipe was not found in the package registry and you require mediapipe==1.2.2, we can conclude \
that your requirements are unsatisfiable.
"""
OFFLINE = """\
error: No solution found when resolving dependencies
  cause: Because mediapipe was not found in the cache and you require mediapipe==0.10.21, we can conclude that your \
requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled. When the network is disabled, registry packages may \
only be read from the cache.
"""
CERTIFICATE = """\
error: Failed to fetch: https://index.example/simple/mediapipe/
  cause: error sending request for url (https://index.example/simple/mediapipe/)
  cause: client error (Connect)
  cause: invalid peer certificate: UnknownIssuer
"""


@pytest.mark.parametrize(
    ("output", "because"),
    [
        (REFUSED, "Connection refused (os error 111); http://127.0.0.1:9/simple/mediapipe/"),
        (REFUSED_8, "Connection refused (os error 111); http://127.0.0.1:9/simple/mediapipe/"),
        (SERVER, "503 Service Unavailable"),
        (UNAUTHORISED, "401 Unauthorized"),
        (EMPTY_INDEX, "the package index has no mediapipe"),
        (OFFLINE, "uv is told to stay offline"),
        (CERTIFICATE, "invalid peer certificate: UnknownIssuer; https://index.example/simple/mediapipe/"),
    ],
    ids=["refused", "refused-uv-0.8", "server-error", "unauthorised", "no-mediapipe", "offline", "certificate"],
)
def test_an_index_that_does_not_serve_us_is_unavailable(output: str, because: str) -> None:
    found = venv.diagnose(output)

    assert found.outcome == "unavailable"
    assert because in found.because


@pytest.mark.parametrize(
    ("output", "because"),
    [
        (
            "error: Failed to install: numpy\n  cause: failed to copy: No space left on device (os error 28)\n",
            "the disk",
        ),
        ("error: Failed to download `a==1`\n  cause: Hash mismatch for `a==1`\n", "differs from the lock"),
        ("warning: odd\nerror: Something nobody foresaw.\n", "Something nobody foresaw"),
        ("", "without a word"),
    ],
    ids=["disk", "hash", "other", "silent"],
)
def test_anything_else_has_failed(output: str, because: str) -> None:
    found = venv.diagnose(output)

    assert found.outcome == "failed"
    assert because in found.because


def test_a_reason_is_never_a_page() -> None:
    output = "error: No solution found when resolving dependencies\n  cause: Because " + "numpy==1\n" * 500

    assert len(venv.diagnose(output).because) < 500
