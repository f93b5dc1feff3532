from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck import backends, condaenv
from envcheck.compat import newest_cuda
from envcheck.errors import UsageError
from envcheck.matrix import Backends, load, select
from envcheck.matrix import Conda as CondaSettings
from envcheck.model import Axes, Host, Nvml, Unread
from envcheck.plan import Backend, render
from envcheck.plan.conda import (
    WHEELS,
    Conda,
    Settings,
    archspec,
    check_channel,
    cuda_packages,
    diagnose,
    join,
    split,
    subdir_of,
)

HERE = Host(platform="linux", machine="x86_64", nvml=Unread(reason="no driver"), glibc="2.36")


def cell(**axes: str | None) -> Axes:
    return Axes(**{"backend": "conda", "python": "3.11", "mediapipe": "1.2.2", **axes})  # type: ignore[arg-type]


def set_up(*, served: str | None = None, **settings: object) -> Conda:
    return Conda(
        settings=Settings(**settings),  # type: ignore[arg-type]
        virtual=("__unix=0=0", "__glibc=2.36=0", "__archspec=1=x86_64_v3"),
        cuda_served=lambda _driver: served,
        running_python="3.12",
    )


def words(conda: Conda, axes: Axes) -> str:
    return "\n".join(" ".join(step.argv) for step in conda.resolve(axes).steps)


def test_it_is_a_backend_whose_environments_bring_their_own_python() -> None:
    backend: Backend = Conda()

    assert backend.name == "conda"
    assert backend.python(cell()) is None


# --- what is asked of the channels ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (cell(), ("python 3.11.*",)),
        (cell(python=None), ("python 3.12.*",)),
        (cell(python="3.11.7"), ("python 3.11.7.*",)),
        (cell(cuda="12.8"), ("python 3.11.*", "cuda-version 12.8.*", "cuda-cudart")),
        (cell(cuda="12.8.1"), ("python 3.11.*", "cuda-version 12.8.*", "cuda-cudart")),
        (cell(cuda="11.8"), ("python 3.11.*", "cuda-version 11.8.*", "cudatoolkit 11.8.*")),
        (cell(opencv="headless"), ("python 3.11.*",)),
    ],
    ids=str,
)
def test_specs_of_a_cell(axes: Axes, expected: tuple[str, ...]) -> None:
    assert set_up().specs(axes) == expected


def test_packages_of_the_matrix_are_asked_for_too() -> None:
    assert set_up(packages=("libegl", "libgles")).specs(cell())[-2:] == ("libegl", "libgles")


def test_no_cuda_axis_asks_for_no_cuda() -> None:
    assert cuda_packages(None) == ()


@pytest.mark.parametrize("axes", [cell(cuda="twelve"), cell(python="three"), cell(mediapipe="new"), cell(opencv="x")])
def test_a_value_that_is_no_version_is_a_usage_error(axes: Axes) -> None:
    with pytest.raises(UsageError, match="axis "):
        set_up().resolve(axes)


def test_channels_are_asked_in_the_order_of_the_matrix() -> None:
    assert "--channel=first --channel=file:///second" in words(set_up(channels=("first", "file:///second")), cell())


def test_cuda_comes_from_the_channels_and_not_as_a_wheel() -> None:
    plan = set_up().resolve(cell(cuda="12.8"))

    requirements = [file.text for step in plan.steps for file in step.files if file.path == "requirements.in"]
    assert requirements == ["mediapipe==1.2.2\n"]


# --- the driver ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("570", "12.8"),
        ("570.26", "12.8"),
        ("535", "12.2"),
        ("535.50", "12.1"),
        ("525.60.13", "12.0"),
        ("615", "13.4"),
        ("9999", "13.4"),
        ("390", None),
        ("latest", None),
    ],
)
def test_the_newest_cuda_of_a_driver(driver: str, expected: str | None) -> None:
    assert newest_cuda(driver) == expected


def test_the_driver_axis_decides_about_cuda_and_not_the_machine_that_solves() -> None:
    here = Host(platform="linux", machine="x86_64", nvml=Nvml(driver="580.65.06", cuda="13.0", gpus=()), glibc="2.36")

    assert backends.cuda_served("470", here) == "11.4"
    assert backends.cuda_served(None, here) == "13.0"
    assert backends.cuda_served("any", here) == "13.0"
    assert backends.cuda_served(None, HERE) is None


def test_a_driver_in_no_table_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no table says which CUDA driver 390 serves"):
        backends.cuda_served("390", HERE)


def test_without_a_driver_there_is_no_cuda_for_the_solver() -> None:
    assert "__cuda" not in words(set_up(), cell(cuda="12.8"))
    assert "--virtual=__cuda=12.8=0" in words(set_up(served="12.8"), cell())


def test_a_backend_is_set_up_by_matrix_and_host() -> None:
    asked = Backends(conda=CondaSettings(channels=("mine",), packages=("libegl",), program="micromamba"))

    made = backends.conda_backend(asked, HERE, {})

    assert made.settings == Settings(("mine",), ("libegl",), "micromamba")
    assert made.subdir == "linux-64"
    assert "__glibc=2.36=0" in made.virtual_packages(cell())
    assert not any(package.startswith("__cuda") for package in made.virtual_packages(cell()))


@pytest.mark.parametrize(
    ("platform", "machine", "expected"),
    [
        ("linux", "x86_64", "linux-64"),
        ("linux", "aarch64", "linux-aarch64"),
        ("darwin", "arm64", "osx-arm64"),
        ("darwin", "x86_64", "osx-64"),
    ],
)
def test_platforms_in_the_words_of_conda(platform: str, machine: str, expected: str) -> None:
    assert subdir_of(platform, machine) == expected


V2 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
V3 = f"{V2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", "", "x86_64"),
        ("x86_64", f"flags : {V2}", "x86_64_v2"),
        ("x86_64", f"flags : {V3}", "x86_64_v3"),
        ("x86_64", f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl", "x86_64_v4"),
        ("x86_64", "avx2 avx512f", "x86_64"),
        ("aarch64", "", "aarch64"),
    ],
)
def test_the_level_of_a_cpu(machine: str, flags: str, expected: str) -> None:
    assert archspec(machine, flags) == expected


def test_the_example_has_each_cell_in_both_kinds_of_environment() -> None:
    example = load(Path(__file__).parents[2] / "examples/matrix-conda.yaml")

    ids = [cell.id for cell in select(example)]

    assert ids == [f"{backend}-py3.11-mp{one}" for backend in ("venv", "conda") for one in ("0.10.21", "1.2.2")]


# --- settings that cannot be followed ------------------------------------------------------------------------------


def test_without_py_rattler_the_error_says_how_to_get_it() -> None:
    with pytest.raises(UsageError) as caught:
        Conda(can_solve=False).resolve(cell())

    assert caught.value.remedy == "pip install 'envcheck[conda]'"


def test_a_program_needs_no_py_rattler() -> None:
    conda = Conda(settings=Settings(program="/opt/bin/micromamba"))

    assert conda.resolve(cell()).steps[0].argv[:3] == ("/opt/bin/micromamba", "create", "--yes")


def test_a_program_that_is_not_here_is_a_usage_error_and_no_fault_of_a_cell(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="/opt/bin/micromamba is not installed here"):
        Conda(settings=Settings(program="/opt/bin/micromamba"), can_solve=False).resolve(cell())
    (tmp_path / "mamba").touch(mode=0o755)
    assert backends.can_solve("mamba", {"PATH": str(tmp_path)})
    assert backends.can_solve(str(tmp_path / "mamba"), {})
    assert not backends.can_solve("micromamba", {"PATH": str(tmp_path)})


def test_a_program_that_is_none_of_the_known_ones_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="none of micromamba, mamba, conda"):
        Conda(settings=Settings(program="rm")).resolve(cell())


@pytest.mark.parametrize("channel", ["https://me:word@host/c", "https://me@host/c", "https://host/t/tk-1/c"])
def test_a_secret_in_a_channel_is_refused_and_not_repeated(channel: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_channel(channel)

    assert channel not in str(caught.value)


def test_a_relative_channel_is_refused() -> None:
    with pytest.raises(UsageError, match="relative"):
        check_channel("./channel")


@pytest.mark.parametrize("channel", ["", " ", "--subdir=win-64"])
def test_what_is_no_channel_is_refused(channel: str) -> None:
    with pytest.raises(UsageError, match=r"backends\.conda\.channels: .* is no channel"):
        Conda(settings=Settings(channels=(channel,))).resolve(cell())


@pytest.mark.parametrize("package", ["", " ", "--virtual=__cuda=99=0", ">=1.7"])
@pytest.mark.parametrize("program", [None, "mamba"])
def test_what_would_be_taken_for_an_option_is_no_package(package: str, program: str | None) -> None:
    with pytest.raises(UsageError, match=r"backends\.conda\.packages: .* names no package"):
        Conda(settings=Settings(packages=(package,), program=program)).resolve(cell())


@pytest.mark.parametrize("package", ["libegl", "libegl >=1.7", "conda-forge::libegl", "python[build=0*]", "_x86_64"])
def test_packages_that_are_taken(package: str) -> None:
    assert package in Conda(settings=Settings(packages=(package,))).resolve(cell()).steps[0].argv


@pytest.mark.parametrize("channel", ["conda-forge", "https://host/conda-forge", "file:///srv/channel", "/srv/channel"])
def test_channels_that_are_taken(channel: str) -> None:
    check_channel(channel)


# --- the lock, and the plan that is made of it ---------------------------------------------------------------------


def test_a_lock_is_taken_apart_into_the_files_it_was_made_of() -> None:
    parts = {
        "conda-linux-64.txt": "@EXPLICIT\nfile:///a#1\n",
        WHEELS: "x==1 \\\n    --hash=sha256:0\n",
        "pixi.lock": "a:\n",
    }

    assert split(join(parts), "linux-64") == parts


def test_a_build_writes_the_files_of_the_lock_first() -> None:
    lock = join({"conda-linux-64.txt": "@EXPLICIT\n", WHEELS: "x==1\n", "pixi.lock": "version: 7\n"})

    plan = set_up().build(cell(), lock)

    assert [file.path for file in plan.steps[0].files] == ["conda-linux-64.txt", WHEELS, "pixi.lock"]
    assert plan.python == ("{root}/prefix/bin/python",)
    assert [step.label for step in plan.steps] == ["installing conda packages", "installing wheels", "finishing"]


def test_wheels_are_installed_with_their_hashes_and_nothing_else() -> None:
    install = set_up().build(cell(), "").steps[1].argv

    assert {"--require-hashes", "--no-deps", "--no-build"} <= set(install)


def test_a_dry_run_prints_the_plan_of_a_lock_that_is_not_there_yet() -> None:
    text = render(set_up().build(cell(), "(the lock that resolving leaves)"))

    assert "(the lock that resolving leaves)" in text
    assert "{self} -I -m envcheck.condaenv install" in text


def test_a_program_is_told_the_virtual_packages_by_its_variables() -> None:
    program = set_up(program="micromamba", served="12.8").resolve(cell())
    alone = set_up(program="micromamba").resolve(cell())

    assert dict(program.steps[0].env) == {
        "CONDA_SUBDIR": "linux-64",
        "CONDA_OVERRIDE_CUDA": "12.8",
        "CONDA_OVERRIDE_GLIBC": "2.36",
        "CONDA_OVERRIDE_ARCHSPEC": "x86_64_v3",
    }
    assert dict(alone.steps[0].env)["CONDA_OVERRIDE_CUDA"] == ""


def test_a_program_installs_from_the_explicit_list() -> None:
    lock = join({"conda-linux-64.txt": "@EXPLICIT\n", WHEELS: "x==1\n"})

    step = set_up(program="conda").build(cell(), lock).steps[0]

    assert step.argv[0] == "conda"
    assert step.argv[-2:] == ("--file", "conda-linux-64.txt")


# --- what failures mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "outcome", "because"),
    [
        ("envcheck-conda: unsolvable: no python 3.99", "unsolvable", "no python 3.99"),
        ("noise\nenvcheck-conda: unavailable: silent\n", "unavailable", "silent"),
        ("envcheck-conda: failed: the disk is full", "failed", "the disk is full"),
        ("error    libmamba Could not solve for environment specs\n  x is missing", "unsolvable", "x is missing"),
        ("PackagesNotFoundError: not available", "unsolvable", "PackagesNotFoundError: not available"),
        ("CondaHTTPError: HTTP 000 CONNECTION FAILED for url <https://x>", "unavailable", "HTTP 000"),
        ("critical libmamba Could not resolve host: x", "unavailable", "Could not resolve host: x"),
        ("write: No space left on device", "failed", "the disk is full"),
        ("error: No solution found when resolving\n Because a and you require a", "no-wheel", "a"),
        ("", "failed", "without a word"),
    ],
)
def test_what_a_complaint_means(output: str, outcome: str, because: str) -> None:
    found = diagnose(output)

    assert found.outcome == outcome
    assert because in found.because


def test_the_solvers_drawing_becomes_a_sentence_that_names_the_driver() -> None:
    said = (
        "Cannot solve the request because of: cuda-cudart * cannot be installed because there are no viable options:\n"
        "└─ cuda-cudart 12.8.90 would require\n   └─ __cuda >=12, for which no candidates were found.\n"
    )

    assert condaenv.reason(said, ("__cuda=11.4=0",)) == (
        "cuda-cudart * cannot be installed because there are no viable options: cuda-cudart 12.8.90 would require "
        "__cuda >=12, for which no candidates were found; the driver of this cell serves CUDA 11.4"
    )
    assert condaenv.reason(said, ()).endswith("; neither the cell nor this host has a driver")


# --- paths inside files --------------------------------------------------------------------------------------------


@given(
    before=st.binary(max_size=20),
    rest=st.binary(max_size=20).filter(lambda text: b"\0" not in text),
    after=st.binary(max_size=20),
    spare=st.integers(min_value=0, max_value=9),
)
def test_a_patched_binary_keeps_its_length_and_what_follows(
    before: bytes, rest: bytes, after: bytes, spare: int
) -> None:
    new, old = b"/short/prefix", b"/staging/prefix" + b"x" * spare
    data = before + old + rest + b"\0" + after

    changed = condaenv.patched(data, old, new)

    assert len(changed) == len(data)
    assert old not in changed
    assert changed.startswith(before + new + rest + b"\0")
    assert changed.endswith(b"\0" + after)


def test_a_path_that_is_too_long_for_a_binary_is_said() -> None:
    with pytest.raises(condaenv.VerbError, match="longer"):
        condaenv.patched(b"/a\0", b"/a", b"/longer")


def test_finishing_replaces_the_path_in_scripts_and_in_what_packages_declare(tmp_path: Path) -> None:
    staged, final = tmp_path / "prefix-that-is-staged", tmp_path / "prefix"
    (staged / "bin").mkdir(parents=True)
    (staged / "conda-meta").mkdir()
    (staged / "bin/tool").write_text(f"#!{staged}/bin/python\n")
    (staged / "bin/tool").chmod(0o755)
    (staged / "library.so").write_bytes(f"{staged}/lib\0tail".encode())
    (staged / "untouched.txt").write_text(f"{staged}\n")
    paths = [{"_path": "library.so", "prefix_placeholder": "/p", "file_mode": "binary"}]
    (staged / "conda-meta/x.json").write_text(json.dumps({"paths_data": {"paths": paths}}))
    cached = tmp_path / "cached"
    cached.hardlink_to(staged / "bin/tool")

    code = condaenv.main(["finish", "--prefix", str(staged), "--final", str(final), "--rename", "prefix"])

    assert code == 0
    assert (final / "bin/tool").read_text() == f"#!{final}/bin/python\n"
    assert (final / "bin/tool").stat().st_mode & 0o777 == 0o755
    assert (final / "library.so").read_bytes().startswith(f"{final}/lib\0".encode())
    assert (final / "untouched.txt").read_text() == f"{staged}\n"
    assert cached.read_text() == f"#!{staged}/bin/python\n", "a hard link into a cache was written to"
    assert not staged.exists()


def test_what_a_prefix_holds_is_listed_with_its_hashes(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    for name, record in {
        "a": {"url": "https://h/a.conda", "md5": "1"},
        "b": {"url": "https://h/b", "sha256": "2"},
    }.items():
        (tmp_path / f"conda-meta/{name}.json").write_text(json.dumps(record))

    out = tmp_path / "list.txt"

    assert condaenv.main(["list", "--subdir", "linux-64", "--prefix", str(tmp_path), "--out", str(out)]) == 0
    assert out.read_text() == "# platform: linux-64\n@EXPLICIT\nhttps://h/a.conda#1\nhttps://h/b#sha256:2\n"


def test_a_locked_package_that_a_folder_holds_no_more_is_the_channels_lack(tmp_path: Path) -> None:
    with pytest.raises(condaenv.VerbError, match="--relock") as caught:
        condaenv.check_local((tmp_path / "gone.conda").as_uri(), "00")

    assert caught.value.outcome == "unavailable"


def test_a_failure_that_tells_no_address_is_told_with_the_channels() -> None:
    assert condaenv.with_channels("failed to parse", ("a", "b")) == "failed to parse (asked: a, b)"
    assert condaenv.with_channels("no file://c", ("a", "b")) == "no file://c"
    assert condaenv.with_channels("failed", ()) == "failed"


def test_a_prefix_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert condaenv.main(["list", "--subdir", "linux-64", "--prefix", str(tmp_path), "--out", "x"]) == 1
    assert capsys.readouterr().err.startswith("envcheck-conda: failed: ")
