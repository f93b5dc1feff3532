"""`envcheck check --image` on a real engine: images as they are, broken ones that `--prove` mends, hostile ones."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from envcheck.boxes.lifecycle import is_gone
from tests import containers
from tests.functional import cellimage
from tests.functional.conftest import Command, Ran
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.timeout(1800)]

VENDORS = "/usr/share/glvnd/egl_vendor.d"
PACKAGES = "/opt/cell/lib/python3.11/site-packages"
USER = "10001:10001"
PROVE = ("--prove", "--build-option=--network=host")

NOTHING: Mapping[str, str] = {}

Make = Callable[..., str]


@pytest.fixture(scope="module")
def make(docker_host: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build an image of Dockerfile lines and files; its name."""
    counted = iter(range(1000))

    def build(*lines: str, files: dict[str, str] | None = None, base: str = containers.BASE) -> str:
        folder, tag = tmp_path_factory.mktemp("context"), f"envcheck-test/image:{next(counted)}"
        for name, text in (files or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o755)
        (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", *lines]) + "\n", encoding="utf-8")
        containers.docker(docker_host, "build", "--quiet", "--force-rm", "--tag", tag, str(folder))
        return tag

    return build


@pytest.fixture(scope="module")
def whole(docker_host: str, make: Make, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of a cell: MediaPipe 1.2.2 in /opt/cell, Mesa's software GL, and a user who is not root."""
    cell = cellimage.named(docker_host, tmp_path_factory.mktemp("whole"), cache)
    user = containers.docker(docker_host, "image", "inspect", "--format", "{{.Config.User}}", cell).strip()
    # Its root is read-only when it is judged: two seconds of each import are for bytecode that is not there.
    compiled = "RUN /opt/cell/bin/python -c 'import mediapipe.tasks.python.vision' || true"
    return make("USER 0:0", compiled, f"USER {user}", base=cell)


@pytest.fixture
def check(envcheck: Command, docker_host: str) -> Iterator[Callable[..., Ran]]:
    """`envcheck check --image`; after each test nothing of ours is left in the engine."""

    def run(image: str, *words: str, engine: str = "docker", env: Mapping[str, str] = NOTHING) -> Ran:
        named = {"DOCKER_HOST": docker_host, **env}
        return envcheck("check", "--image", image, "--engine", engine, *words, env=named)

    before = left(docker_host)
    yield run
    nothing_is_left(docker_host, before)


def left(host: str) -> set[str]:
    """Containers and scratch images of runs that are over, volumes and networks that are there."""
    rows = containers.docker(host, "ps", "-a", "--format", '{{.Names}} {{.Label "envcheck.run"}}').splitlines()
    scratch = containers.docker(host, "image", "ls", "-q", "--no-trunc", "--filter", "label=envcheck.scratch").split()
    rows += [f"{one} {run_of(host, one)}" for one in set(scratch)]
    gone = {row for row in rows if is_gone(row.rpartition(" ")[2])}
    listed = (("volume", "ls", "-q"), ("network", "ls", "-q"))
    return gone.union(*(containers.docker(host, *words).split() for words in listed))


def nothing_is_left(host: str, before: set[str]) -> None:
    """Nothing but what was there before; what another test has killed just now ends by itself."""
    wait_until(lambda: not left(host) - before, lambda: f"an end of {left(host) - before}")


def run_of(host: str, image: str) -> str:
    """The run that a scratch image belongs to; of one that another test's run has just removed, none."""
    try:
        return containers.docker(
            host, "image", "inspect", "--format", '{{index .Config.Labels "envcheck.scratch"}}', image
        ).strip()
    except RuntimeError:
        return ""


def cell_of(ran: Ran) -> dict[str, Any]:
    """The one cell."""
    assert ran.code in (0, 1), ran.stderr
    (cell,) = ran.results["cells"]
    assert cell["status"] != "PASS"
    found: dict[str, Any] = cell
    return found


def evidence_of(ran: Ran) -> dict[str, Any]:
    """Its evidence."""
    found: dict[str, Any] = json.loads((ran.out / cell_of(ran)["evidence"]).read_text(encoding="utf-8"))
    return found


def codes(ran: Ran) -> list[str]:
    """Codes of what was found."""
    return [one["code"] for one in cell_of(ran)["findings"] if one["status"] != "SKIP"]


# --- images as they are -----------------------------------------------------------------------------------------------


def test_an_image_is_judged_as_it_is_and_its_evidence_says_how(check: Callable[..., Ran], whole: str) -> None:
    ran = check(whole, "--env", "EGL_PLATFORM=surfaceless")
    evidence = evidence_of(ran)

    assert (cell_of(ran)["id"], cell_of(ran)["verdict"]) == ("image-py3.11-mp1.2.2", "refused")
    assert evidence["build"]["outcome"] == "existing"
    assert evidence["image"]["id"].startswith("sha256:")
    assert evidence["image"]["python"] == "/opt/cell/bin/python"
    assert evidence["image"]["injection"]
    assert evidence["cpu"]["outcome"] == "ran"
    assert evidence["host"]["steering"]["EGL_PLATFORM"] == "surfaceless"
    assert "CTR313" in codes(ran)  # the system's Python is there too


@pytest.fixture(scope="module")
def hidden(make: Make, whole: str) -> str:
    """No search path leads to its Python, and nothing that a container of it would do by itself gets it anywhere."""
    insists = ('ENTRYPOINT ["/bin/false"]', 'CMD ["--never"]', "STOPSIGNAL SIGUSR1", "HEALTHCHECK CMD /bin/false")
    writes = ("USER 0:0", "RUN rm -f /bin/bash /bin/dash /bin/sh", "VOLUME /data /tmp", "ONBUILD COPY nothing /here")
    return make("ENV PATH=/usr/bin:/bin", *insists, *writes, "USER 1000", base=whole)


def test_an_image_that_insists_and_has_no_shell_is_judged_all_the_same(check: Callable[..., Ran], hidden: str) -> None:
    ran = check(hidden)

    assert evidence_of(ran)["image"]["python"] == "/opt/cell/bin/python"
    assert evidence_of(ran)["cpu"]["outcome"] == "ran"
    assert evidence_of(ran)["facts"]["system"]["user"] in ("", "1000")
    assert {"CTR313", "CTR314", "CTR315"} <= set(codes(ran))


def test_a_memory_limit_that_is_too_small_is_told(check: Callable[..., Ran], whole: str) -> None:
    ran = check(whole, "--run-option=--memory=64m", "--run-option=--memory-swap=64m", "--deadline", "60")

    assert cell_of(ran)["verdict"] in ("broken", "crashed")
    assert "memory" in json.dumps(cell_of(ran)["findings"])


def test_an_image_without_python_says_so(check: Callable[..., Ran], docker_host: str) -> None:
    """Its files are read from a container that is never started, for which the engine makes the image's volumes."""
    bare = "envcheck-test/image:bare"
    changes = ("--change", f"LABEL {containers.LABEL}=bare", "--change", "VOLUME /data")
    containers.docker(docker_host, "import", *changes, "-", bare, given=archive({"hello": b"x"}))
    ran = check(bare)

    assert (cell_of(ran)["id"], cell_of(ran)["verdict"]) == ("image", "broken")
    assert "CTR310" in codes(ran)


def archive(files: dict[str, bytes]) -> bytes:
    """A tar archive."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as file:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            file.addfile(member, io.BytesIO(data))
    return target.getvalue()


def test_an_image_for_another_architecture_is_impossible_here(check: Callable[..., Ran], docker_host: str) -> None:
    layer, tag = archive({"hello": b"x"}), "envcheck-test/image:other"
    config = {
        "architecture": "s390x",
        "os": "linux",
        "config": {"Labels": {containers.LABEL: "other"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(config), "manifest.json": json.dumps(manifest)}
    given = archive({"layer.tar": layer} | {name: text.encode() for name, text in files.items()})
    containers.docker(docker_host, "load", given=given)
    ran = check(tag)

    assert cell_of(ran)["verdict"] == "impossible"
    assert codes(ran)[0] == "CTR311"


BAD = {
    "--image nobody/has:this": 2,
    "--image --privileged": 2,
    "--image {base} --python /no/such/python": 2,
    "--image {base} --env nonsense": 2,
    "--image {base} --prefix /usr": 2,
    "--image {base} --run-option=--name=mine": 2,
    "--image {base} --run-option=alpine": 2,
    "--image {base} --run-option=-qdit": 2,
    "--image {base} --run-option=-lx=y": 2,
    "--image {base} --run-option=--nonsense": 2,
    "--image {base} --run-option=--memory=much": 2,
    "--image a\\ b": 2,
    "--image {base} --deadline 1e300": 2,
    "--image {base} --prove --ca-file /nowhere.pem": 2,
    "--image {base} --engine docker\\ --host\\ unix:///nowhere.sock": 75,
    "--dockerfile /nowhere": 2,
    "--python {python} --gpus all": 2,
}


@pytest.mark.parametrize("words", BAD)
def test_bad_names_are_usage_errors_and_an_engine_that_is_away_is_infrastructure(
    envcheck: Command, docker_host: str, words: str
) -> None:
    filled = words.format(base=containers.BASE, python=sys.executable)
    env = {"DOCKER_HOST": docker_host, "ENVCHECK_ENGINE": "docker"}
    ran = envcheck("check", *shlex.split(filled), env=env)

    assert ran.code == BAD[words], ran.stderr
    assert "Traceback" not in ran.stderr
    assert ("docker pull" in ran.stderr) == ("nobody" in words)


def test_a_dockerfile_that_fails_is_told_with_its_own_words(
    envcheck: Command, docker_host: str, tmp_path: Path
) -> None:
    before = left(docker_host)
    (tmp_path / "Dockerfile").write_text(f"FROM {containers.BASE}\nRUN cat /no/such/file\n", encoding="utf-8")
    ran = envcheck("check", "--dockerfile", str(tmp_path), env={"DOCKER_HOST": docker_host})

    assert cell_of(ran)["verdict"] == "broken"
    assert codes(ran)[0] == "MPP407"
    assert "/no/such/file" in cell_of(ran)["findings"][0]["summary"]
    nothing_is_left(docker_host, before)


def test_an_image_that_is_to_be_kept_stays_for_the_runs_that_follow(
    envcheck: Command, docker_host: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {containers.BASE}\nLABEL of=mine\n", encoding="utf-8")
    env = {"DOCKER_HOST": docker_host, "ENVCHECK_ENGINE": "docker"}
    ran = envcheck("check", "--dockerfile", str(tmp_path), "--keep", env=env)
    (kept,) = (line.rpartition(" ")[2] for line in ran.stderr.splitlines() if "kept: " in line)
    again = envcheck("check", "--image", kept, env=env)

    assert cell_of(again)["id"] == cell_of(ran)["id"]
    assert "removed" not in again.stderr
    assert containers.docker(docker_host, "image", "rm", kept)


# --- prescribe and prove ----------------------------------------------------------------------------------------------


def broken(*lines: str) -> tuple[str, ...]:
    """Dockerfile lines that root carries out, in an image of another user's."""
    return ("USER 0:0", *lines, f"USER {USER}")


def told_by(ran: Ran) -> list[dict[str, Any]]:
    """What was tried and came out, in order."""
    tried: list[dict[str, Any]] = json.loads((ran.out / "proofs.json").read_text(encoding="utf-8"))["proofs"]
    return tried


def test_every_cause_is_mended_one_after_the_other(
    check: Callable[..., Ran], docker_host: str, make: Make, whole: str
) -> None:
    """No libGL; a user who may not read MediaPipe; no libEGL, no libGLESv2; a vendor file that leads nowhere."""
    lines = broken(
        "RUN dpkg --purge --force-all libegl1 libgl1 libgles2",
        f"RUN chmod 700 {PACKAGES}/mediapipe && chown -R 0:0 {PACKAGES}/mediapipe",
        f"RUN rm {VENDORS}/10_nvidia.json && sed -i s/libEGL_mesa/libEGL_nowhere/ {VENDORS}/50_mesa.json",
    )
    image = make(*lines, "ENV EGL_PLATFORM=surfaceless", base=whole)
    client = containers.client_with_buildkit(docker_host)
    ran = check(image, *PROVE, engine=client, env={"DOCKER_BUILDKIT": "1"})
    mended = [one for one in told_by(ran) if one["mended"]]
    telling = ("libgl1", "chmod", "libegl1 libgles2", "50_mesa.json")

    assert cell_of(ran)["verdict"] == "broken"
    assert [word in one["dockerfile"] for word, one in zip(telling, mended, strict=True)] == [True] * 4, mended
    assert [one["after"]["verdict"] for one in mended] == ["broken", "broken", "refused", "refused"]
    assert "emulation" in mended[3]["after"]["because"]
    assert {one["dockerfile"].splitlines()[0] for one in mended} == {"USER root"}
    assert {one["dockerfile"].splitlines()[-1] for one in mended} == {f"USER {USER}"}
    assert "the verdict changes" in ran.stdout


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (broken(f"RUN rm {VENDORS}/*"), "EGL201"),
        (broken(f"RUN chmod 000 {VENDORS}/50_mesa.json"), "EGL201"),
        (("ENV __EGL_VENDOR_LIBRARY_FILENAMES=/nowhere.json",), "EGL213"),
    ],
    ids=["no vendor file", "one that nobody may read", "a variable that hides them"],
)
def test_egl_that_finds_no_driver_is_mended(
    check: Callable[..., Ran], make: Make, whole: str, lines: tuple[str, ...], code: str
) -> None:
    ran = check(make("ENV EGL_PLATFORM=surfaceless", *lines, base=whole), *PROVE)
    tried = {one["code"]: one for one in told_by(ran)}

    assert tried[code]["mended"]
    assert "emulation" in tried[code]["after"]["because"]
    assert tried[code]["dockerfile"]
    assert not tried["CTR302"].get("after")


def test_triggers_do_not_run_in_what_proves_a_remedy(check: Callable[..., Ran], make: Make, whole: str) -> None:
    """The first of them could not run there at all, and the second would take MediaPipe away."""
    triggers = ("ONBUILD COPY requirements.txt /", "ONBUILD RUN rm -r /opt/cell")
    lines = ("ENV EGL_PLATFORM=surfaceless", *broken(f"RUN rm {VENDORS}/*"), *triggers)
    ran = check(make(*lines, base=whole), *PROVE)
    tried = {one["code"]: one for one in told_by(ran)}

    assert tried["EGL201"]["mended"], tried["EGL201"]
    assert tried["EGL201"]["after"]["verdict"] == "refused"
    assert "CTR316" in codes(ran)
    assert evidence_of(ran)["image"]["triggers"] == ["COPY requirements.txt /", "RUN rm -r /opt/cell"]


@pytest.mark.parametrize("line", ["ONBUILD COPY requirements.txt /", "ENV A=b"])
def test_a_remedy_that_cannot_be_built_leaves_nothing(
    check: Callable[..., Ran], docker_host: str, make: Make, line: str
) -> None:
    """Without pip MediaPipe is not installed; what the builder had made before that has the label too."""
    label = f"of={uuid.uuid4().hex}"  # other tests build images meanwhile
    image, mine = make(f"LABEL {label}", line), ("image", "ls", "-q", "--no-trunc", "--filter", f"label={label}")
    before = containers.docker(docker_host, *mine).split()
    (tried,) = told_by(check(image, *PROVE))

    assert (tried["code"], tried.get("after")) == ("MPP413", None)
    assert "pip" in tried["why"]
    assert containers.docker(docker_host, *mine).split() == before
    assert len(before) == 1


# --- hostile images ---------------------------------------------------------------------------------------------------

FORGER = Path(__file__).parent / "forger.txt"
SITE = "/usr/lib/python3.11/sitecustomize.py"


RECORDED = """#!/bin/sh
echo '{"version": [3, 11, 2], "prefix": "/usr", "executable": "/usr/bin/python3", "found": {"mediapipe": "1.2.2"}}'
cat > /dev/null
"""


def script(make: Make, text: str) -> str:
    """An image whose `python3` is a script."""
    return make("RUN rm /usr/bin/python3", "COPY python /usr/bin/python3", files={"python": text})


@pytest.mark.parametrize(
    "text",
    [
        RECORDED,
        "#!/bin/sh\nyes 'nothing but lines' | head -c 1000000000\n",
        "#!/bin/sh\nhead -c 1000000000 /dev/zero & yes 'nothing but errors' | head -c 1000000000 >&2\nwait\n",
        "#!/bin/sh\ntrap '' TERM INT HUP\nwhile :; do sleep 1; done\n",
    ],
    ids=["recorded answers", "a gigabyte of lines", "a gigabyte on both streams", "ignores signals"],
)
def test_a_python_that_is_a_script_does_not_pass(check: Callable[..., Ran], make: Make, text: str) -> None:
    ran = check(script(make, text), "--deadline", "3")

    assert cell_of(ran)["verdict"] in ("broken", "crashed", "unknown")
    assert sum(file.stat().st_size for file in ran.out.rglob("*") if file.is_file()) < 20_000_000


def test_a_python_that_answers_with_the_token_and_claims_a_gpu_does_not_pass(
    check: Callable[..., Ran], make: Make
) -> None:
    """It reads each request as the payload would, and forges every answer; it even maps files of the driver's names."""
    text = FORGER.read_text(encoding="utf-8")
    image = make(
        "RUN mv /usr/bin/python3 /usr/bin/real && mkdir /forged && cd /forged && "
        "touch libEGL_nvidia.so.570.124.06 libnvidia-eglcore.so.570.124.06 libmediapipe.so && "
        "for f in *; do head -c 4096 /dev/zero > $f; done",
        "COPY python /usr/bin/python3",
        files={"python": "#!/usr/bin/real\n" + text},
    )
    ran = check(image)
    evidence = evidence_of(ran)

    assert evidence["gpu"]["outcome"] == "ran"
    assert evidence["gl"]["vendor"] == "NVIDIA Corporation"
    assert evidence["gpu"]["looked_from"] == "outside"
    assert cell_of(ran)["verdict"] in ("unknown", "contradictory")


def test_a_mediapipe_that_drops_the_delegate_is_silent_on_the_cpu(
    envcheck: Command, docker_host: str, whole: str, tmp_path: Path
) -> None:
    """From a folder with a Dockerfile: built, judged, and removed."""
    drop = f"{PACKAGES}/mediapipe/tasks/python/core/base_options.py"
    chosen = "self.delegate.value if self.delegate is not None else "
    lines = broken(f"RUN grep -q '{chosen}' {drop} && sed -i 's/{chosen}//' {drop}")
    text = "\n".join([f"FROM {whole}", *lines, ""])
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    before = left(docker_host)
    ran = envcheck("check", "--dockerfile", str(tmp_path), env={"DOCKER_HOST": docker_host})

    assert cell_of(ran)["id"] == "image-py3.11-mp1.2.2"
    assert cell_of(ran)["verdict"] == "silent-cpu"
    nothing_is_left(docker_host, before)


def test_a_start_up_file_that_tries_what_it_may_not_reaches_nothing(
    check: Callable[..., Ran], make: Make, whole: str
) -> None:
    text = """
import os, socket, sys
def tried(what, act):
    try:
        act()
        return what + "=REACHED"
    except Exception as error:
        return what + "=" + type(error).__name__
def bomb():
    for _ in range(5000):
        if os.fork() == 0:
            import time; time.sleep(600); os._exit(0)
    raise OSError
seen = [tried("proc", lambda: open("/proc/sys/kernel/core_pattern", "w").write("x")),
        tried("sysrq", lambda: open("/proc/sysrq-trigger", "w").write("h")),
        tried("root", lambda: open("/usr/x", "w").write("h")),
        tried("net", lambda: socket.create_connection(("172.17.0.1", 2375), 2)),
        tried("mknod", lambda: os.mknod("/tmp/x", 0o600 | 0o020000, os.makedev(1, 3)))]
print("TRIED", *seen, file=sys.stderr)
print("a line that is no answer")
if os.getpid() == 1:
    print(tried("bomb", bomb), file=sys.stderr)
"""
    before = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii")
    ran = check(make(f"COPY site {SITE}", files={"site": text}, base=whole), "--deadline", "30")
    cpu = evidence_of(ran)["cpu"]
    log = " ".join(cpu.get("log", []))

    # Where the bomb was faster, no worker could be started in the container any more.
    assert "TRIED" in log or cell_of(ran)["verdict"] == "broken" or cpu.get("stage", "start") == "start"
    assert "REACHED" not in log
    assert cell_of(ran)["verdict"] in ("crashed", "broken")
    assert Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii") == before
