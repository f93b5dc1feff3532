"""`envcheck check --image` on a real engine: images as they are, broken ones that `--prove` mends, hostile ones."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from envcheck.environments import prepare
from envcheck.model import Axes, Cell
from tests import containers
from tests.children import child
from tests.functional.conftest import Command, Ran, environment

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.timeout(600)]

LABEL = "envcheck-test=check-image"
GL = "libegl1 libgles2 libegl-mesa0 libgl1-mesa-dri libgl1 libglib2.0-0 libxcb1"
VENDORS = "/usr/share/glvnd/egl_vendor.d"
PACKAGES = "/opt/venv/lib/python3.11/site-packages"
PROVE = ("--prove", "--build-option=--network=host")
NAMES = ("--filter", "label=envcheck.run"), ("--filter", "label=envcheck.scratch")

Make = Callable[..., str]


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """DOCKER_HOST."""
    if reason := containers.engine_missing():
        pytest.skip(reason)
    with containers.engine() as named:
        containers.provide_base(named)
        yield named
        listed = docker(named, "image", "ls", "-q", "--filter", f"label={LABEL}").split()
        docker(named, "image", "rm", "--force", *dict.fromkeys(listed))


def docker(host: str, *words: str, given: bytes | None = None) -> str:
    """What docker prints."""
    done = subprocess.run(["docker", "--host", host, *words], input=given, capture_output=True, check=False)
    assert done.returncode == 0 or words[:2] == ("image", "rm"), done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def make(host: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build an image of Dockerfile lines and files; its name."""
    counted = iter(range(1000))

    def build(*lines: str, files: dict[str, str] | None = None, base: str = containers.BASE) -> str:
        folder, tag = tmp_path_factory.mktemp("context"), f"envcheck-test/image:{next(counted)}"
        for name, text in (files or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o755)
        (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", *lines]) + "\n", encoding="utf-8")
        docker(host, "build", "--quiet", "--force-rm", "--network=host", "--label", LABEL, "--tag", tag, str(folder))
        return tag

    return build


@pytest.fixture(scope="module")
def whole(host: str, make: Make, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with MediaPipe 1.2.2 in /opt/venv and Mesa's software GL."""
    cell = Cell(id="1.2.2", axes=Axes(backend="venv", python="3.11", mediapipe="1.2.2"))
    prepared = prepare(cell, cache=cache, env=dict(os.environ))
    assert prepared.python, prepared.build
    packages = next(Path(prepared.python[0]).parents[1].glob("lib/python3.11/site-packages"))
    gl = make(f"RUN apt-get update -q && apt-get install -qy --no-install-recommends {GL}")
    lines = f"RUN python3 -m venv --without-pip /opt/venv\nCOPY . {PACKAGES}/\n"
    lines += "ENV PATH=/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    file = tmp_path_factory.mktemp("whole") / "Dockerfile"
    file.write_text(f"FROM {gl}\n{lines}", encoding="utf-8")
    tag = "envcheck-test/image:whole"
    docker(host, "build", "-q", "--label", LABEL, "--tag", tag, "--file", str(file), str(packages))
    return tag


@pytest.fixture
def check(envcheck: Command, host: str) -> Iterator[Callable[..., Ran]]:
    """`envcheck check --image`; after each test nothing of ours is left in the engine."""

    def run(image: str, *words: str, **changes: Any) -> Ran:
        env = {"DOCKER_HOST": host, **changes.pop("env", {})}
        return envcheck("check", "--image", image, "--engine", "docker", *words, env=env, **changes)

    before = left(host)
    yield run
    assert left(host) == before


def left(host: str) -> set[str]:
    """Containers, scratch images, volumes and networks that are there."""
    found = docker(host, "ps", "-aq", *NAMES[0]) + docker(host, "image", "ls", "-q", *NAMES[1])
    return set((found + docker(host, "volume", "ls", "-q") + docker(host, "network", "ls", "-q")).split())


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


def proofs_of(ran: Ran) -> dict[str, dict[str, Any]]:
    """The proofs by code; the last of each."""
    told = json.loads((ran.out / "proofs.json").read_text(encoding="utf-8"))
    return {one["code"]: one for one in told["proofs"]}


# --- images as they are -----------------------------------------------------------------------------------------------


def test_an_image_is_judged_as_it_is_and_its_evidence_says_how(check: Callable[..., Ran], whole: str) -> None:
    ran = check(whole, "--env", "EGL_PLATFORM=surfaceless")
    evidence = evidence_of(ran)

    assert (cell_of(ran)["id"], cell_of(ran)["verdict"]) == ("image-py3.11-mp1.2.2", "refused")
    assert evidence["build"]["outcome"] == "existing"
    assert evidence["image"]["id"].startswith("sha256:")
    assert evidence["image"]["python"] == "/opt/venv/bin/python3"
    assert evidence["image"]["injection"]
    assert evidence["cpu"]["outcome"] == "ran"
    assert evidence["host"]["steering"] == {"EGL_PLATFORM": "surfaceless"}
    assert "CTR313" in codes(ran)  # the system's Python is there too


def test_the_python_of_a_venv_that_no_search_path_leads_to_is_found(
    check: Callable[..., Ran], make: Make, whole: str
) -> None:
    image = make("ENV PATH=/usr/bin:/bin", 'ENTRYPOINT ["/bin/false"]', "USER 1000", base=whole)
    ran = check(image)

    assert evidence_of(ran)["image"]["python"] == "/opt/venv/bin/python"
    assert evidence_of(ran)["cpu"]["outcome"] == "ran"
    assert "CTR314" in codes(ran)
    assert evidence_of(ran)["facts"]["system"]["user"] in ("", "1000")


def test_an_image_without_a_shell_is_judged_all_the_same(check: Callable[..., Ran], make: Make, whole: str) -> None:
    ran = check(make("RUN rm -f /bin/bash /bin/dash /bin/sh", base=whole))

    assert evidence_of(ran)["cpu"]["outcome"] == "ran"
    assert "CTR315" in codes(ran)


def test_an_image_without_python_says_so(check: Callable[..., Ran], host: str) -> None:
    docker(host, "import", "-c", f"LABEL {LABEL}", "-", "envcheck-test/image:bare", given=archive({"hello": b"x"}))
    ran = check("envcheck-test/image:bare")

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


def test_an_image_for_another_architecture_is_impossible_here(check: Callable[..., Ran], host: str) -> None:
    layer, tag = archive({"hello": b"x"}), "envcheck-test/image:other"
    config = {
        "architecture": "s390x",
        "os": "linux",
        "config": {"Labels": {"envcheck-test": "check-image"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(config), "manifest.json": json.dumps(manifest)}
    docker(host, "load", given=archive({"layer.tar": layer} | {name: text.encode() for name, text in files.items()}))
    ran = check(tag)

    assert cell_of(ran)["verdict"] == "impossible"
    assert codes(ran)[0] == "CTR311"


def test_bad_names_are_usage_errors_and_an_engine_that_is_away_is_infrastructure(
    envcheck: Command, host: str, make: Make
) -> None:
    def code(*words: str, **env: str) -> tuple[int, str]:
        ran = envcheck("check", "--engine", "docker", *words, env={"DOCKER_HOST": host, **env})
        assert "Traceback" not in ran.stderr
        return ran.code, ran.stderr

    image = make("LABEL nothing=here")
    assert code("--image", "nobody/has:this")[0] == 2
    assert "docker pull" in code("--image", "nobody/has:this")[1]
    assert code("--image", "--privileged")[0] == 2
    assert code("--image", image, "--python", "/no/such/python")[0] == 2
    assert code("--image", image, "--env", "nonsense")[0] == 2
    assert code("--image", image, "--prefix", "/usr")[0] == 2
    assert code("--image", image, DOCKER_HOST="unix:///nowhere.sock")[0] == 75
    assert code("--image", image, "--prove", "--ca-file", "/nowhere.pem")[0] == 2
    assert code("--dockerfile", "/nowhere")[0] == 2
    assert code("--python", sys.executable, "--gpus", "all")[0] == 2


def test_a_dockerfile_is_built_judged_and_removed_and_one_that_fails_is_broken(
    envcheck: Command, host: str, tmp_path: Path, whole: str
) -> None:
    before = left(host)
    (tmp_path / "Dockerfile").write_text(f"FROM {whole}\nENV EGL_PLATFORM=surfaceless\n", encoding="utf-8")
    good = envcheck("check", "--dockerfile", str(tmp_path), env={"DOCKER_HOST": host})
    (tmp_path / "Dockerfile").write_text(f"FROM {whole}\nRUN cat /no/such/file\n", encoding="utf-8")
    bad = envcheck("check", "--dockerfile", str(tmp_path), env={"DOCKER_HOST": host})

    assert cell_of(good)["id"] == "image-py3.11-mp1.2.2"
    assert cell_of(bad)["verdict"] == "broken"
    assert codes(bad)[0] == "MPP407"
    assert "/no/such/file" in cell_of(bad)["findings"][0]["summary"]
    assert left(host) == before


# --- prescribe and prove ----------------------------------------------------------------------------------------------


def test_missing_libraries_are_installed_one_cause_after_the_other(
    check: Callable[..., Ran], make: Make, whole: str
) -> None:
    ran = check(make("RUN dpkg --purge --force-all libegl1 libgl1 libgles2", base=whole), *PROVE)
    told = json.loads((ran.out / "proofs.json").read_text(encoding="utf-8"))["proofs"]
    first, second = (one for one in told if one["code"] == "MPP405")

    assert cell_of(ran)["verdict"] == "broken"
    assert "libgl1" in first["dockerfile"]
    assert first["mended"]
    assert "libegl1 libgles2" in second["dockerfile"]
    assert (second["before"]["verdict"], second["after"]["verdict"]) == ("broken", "refused")
    assert "the verdict changes" in ran.stdout


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((f"RUN rm {VENDORS}/*",), "EGL201"),
        ((f"RUN sed -i s/libEGL_mesa/libEGL_nowhere/ {VENDORS}/50_mesa.json",), "EGL201"),
        ((f"RUN chmod 000 {VENDORS}/50_mesa.json", "USER 1000"), "EGL201"),
        (("ENV __EGL_VENDOR_LIBRARY_FILENAMES=/nowhere.json",), "EGL213"),
    ],
    ids=["no vendor file", "one that leads nowhere", "one that nobody may read", "a variable that hides them"],
)
def test_egl_that_finds_no_driver_is_mended(
    check: Callable[..., Ran], make: Make, whole: str, lines: tuple[str, ...], code: str
) -> None:
    ran = check(make("ENV EGL_PLATFORM=surfaceless", *lines, base=whole), *PROVE)
    proof = proofs_of(ran)[code]

    assert proof["mended"]
    assert "emulation" in proof["after"]["because"]
    assert proof["dockerfile"]
    assert not proofs_of(ran)["CTR302"].get("after")


def test_a_user_who_may_not_read_the_environment_is_let_in(check: Callable[..., Ran], make: Make, whole: str) -> None:
    ran = check(make(f"RUN chmod 700 {PACKAGES}/mediapipe", "USER 1000", base=whole), *PROVE)
    proof = next(one for one in proofs_of(ran).values() if "chmod" in one.get("dockerfile", ""))

    assert (proof["before"]["verdict"], proof["after"]["verdict"]) == ("broken", "refused")
    assert proof["dockerfile"].splitlines()[0] == "USER root"
    assert proof["dockerfile"].splitlines()[-1] == "USER 1000"


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
        "#!/bin/sh\nhead -c 1000000000 /dev/zero\n",
        "#!/bin/sh\nyes 'nothing but errors' | head -c 1000000000 >&2\n",
        "#!/bin/sh\ntrap '' TERM INT HUP\nwhile :; do sleep 1; done\n",
    ],
    ids=["recorded answers", "a gigabyte of lines", "a gigabyte of nothing", "a gigabyte of errors", "ignores signals"],
)
def test_a_python_that_is_a_script_does_not_pass(check: Callable[..., Ran], make: Make, text: str) -> None:
    ran = check(script(make, text), "--deadline", "4")

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
    check: Callable[..., Ran], make: Make, whole: str
) -> None:
    drop = f"{PACKAGES}/mediapipe/tasks/python/core/base_options.py"
    patch = f"RUN grep -q 'self.delegate' {drop} && sed -i 's/options.delegate = .*/options.delegate = 0/; "
    ran = check(make(patch + f"s/delegate=self.delegate[^,)]*/delegate=0/' {drop}", base=whole))

    assert cell_of(ran)["verdict"] in ("silent-cpu", "refused", "broken")


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
    log = " ".join(evidence_of(ran)["cpu"].get("log", []))

    assert "TRIED" in log or cell_of(ran)["verdict"] == "broken"
    assert "REACHED" not in log
    assert cell_of(ran)["verdict"] in ("crashed", "broken")
    assert Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii") == before


# --- nothing is left --------------------------------------------------------------------------------------------------


@contextmanager
def begun(host: str, image: str, folder: Path, cache: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A check that is under way, its container up."""
    env = environment({"DOCKER_HOST": host, "ENVCHECK_CACHE": str(cache)})
    words = [sys.executable, "-m", "envcheck", "check", "--image", image, "--engine", "docker"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with child(words, cwd=folder, env=env, **quiet) as running:
        until = time.monotonic() + 60
        while not docker(host, "ps", "-q", *NAMES[0]) and time.monotonic() < until:
            time.sleep(0.1)
        yield running


def test_an_interrupted_check_leaves_no_container(host: str, whole: str, tmp_path: Path, cache: Path) -> None:
    before = left(host)
    with begun(host, whole, tmp_path, cache) as running:
        running.send_signal(signal.SIGINT)
        code = running.wait(60)

    assert code == 130
    assert left(host) == before


def test_what_a_killed_check_leaves_is_removed_by_the_next_one_which_says_so(
    check: Callable[..., Ran], host: str, make: Make, tmp_path: Path, cache: Path
) -> None:
    stubborn = script(make, "#!/bin/sh\nexec </dev/null\nwhile :; do sleep 1; done\n")
    with begun(host, stubborn, tmp_path, cache) as running:
        running.kill()
    assert docker(host, "ps", "-q", *NAMES[0])

    ran = check(script(make, "#!/bin/sh\nexit 3\n"))

    assert "which a run that is gone had left" in ran.stderr
    shutil.rmtree(tmp_path / ".envcheck", ignore_errors=True)
