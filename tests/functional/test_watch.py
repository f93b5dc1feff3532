"""`envcheck watch` on real programs: left alone in every way that a program can notice, and judged rightly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envcheck.host import nested_pids
from tests.conftest import unable
from tests.functional.conftest import PythonWith, environment

HERE = Path(__file__).parent
ENVCHECK = (sys.executable, "-m", "envcheck")
DEADLINE_S = 120


@dataclass(frozen=True)
class Watched:
    """What one watched run left."""

    code: int
    stdout: bytes
    stderr: bytes
    report: dict[str, Any]

    @property
    def verdict(self) -> str:
        """The word."""
        return str(self.report["verdict"])

    @property
    def codes(self) -> list[str]:
        """Codes of the findings, in their order."""
        return [finding["code"] for finding in self.report["findings"]]


def watch(
    *command: str,
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    wrapper: Sequence[str] = (),
    folder: Path,
) -> Watched:
    """Run `envcheck watch OPTIONS -- COMMAND` to its end."""
    path = folder / "report.json"
    path.unlink(missing_ok=True)
    argv = [*wrapper, *ENVCHECK, "watch", "--json", str(path), *options, *(("--", *command) if command else ())]
    done = subprocess.run(
        argv, input=stdin, capture_output=True, env=environment(env or {}), timeout=DEADLINE_S, check=False, cwd=folder
    )
    report = json.loads(path.read_text(encoding="utf-8") or "{}") if path.exists() else {}
    return Watched(done.returncode, done.stdout, done.stderr, report)


def started(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    """`envcheck watch -- COMMAND`, running; the command says `ready` first."""
    popen = subprocess.Popen(
        [*ENVCHECK, "watch", "--report", str(folder / "report"), "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert popen.stdout is not None
    assert popen.stdout.readline() == b"ready\n"
    return popen


# --- the program is left alone ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 3, 77, 255])
def test_the_exit_code_is_the_programs_own(code: int, tmp_path: Path) -> None:
    assert watch("sh", "-c", f"exit {code}", folder=tmp_path).code == code


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGTERM", "SIGABRT", "SIGPIPE"])
def test_a_program_that_a_signal_ends_takes_us_along(name: str, tmp_path: Path) -> None:
    ran = watch("sh", "-c", f"kill -{name[3:]} $$", folder=tmp_path)

    assert ran.code == -getattr(signal, name)
    assert ran.report["watched"]["ending"] == {"signal": int(getattr(signal, name))}
    assert f"was killed by {name}".encode() in ran.stderr


def test_standard_input_and_binary_output_pass_unchanged(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096

    assert watch("cat", stdin=data, folder=tmp_path).stdout == data


def test_arguments_folder_variables_and_descriptors_are_the_programs_own(tmp_path: Path) -> None:
    script = 'printf "%s|" "$@" "$PWD" "$OWN"; cat <&3'
    inner = ["watch", "--", "sh", "-c", script, "sh", "--pid", "-h", "--", "a b", ""]
    command = f'exec 3</etc/hostname; exec {sys.executable} -m envcheck "$@"'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *inner],
        cwd=tmp_path,
        env={**os.environ, "OWN": "x"},
        capture_output=True,
        check=True,
    )
    hostname = Path("/etc/hostname").read_text(encoding="utf-8")

    assert done.stdout.decode() == f"--pid|-h|--|a b||{tmp_path}|x|{hostname}"


def test_standard_output_that_the_program_closes_is_closed_for_its_reader(tmp_path: Path) -> None:
    popen = started(tmp_path, "sh", "-c", "echo ready; exec >&- ; sleep 5")
    assert popen.stdout is not None
    begun = time.monotonic()
    assert popen.stdout.read() == b""
    assert time.monotonic() - begun < 3
    popen.kill()
    popen.communicate()


def test_a_closed_standard_error_changes_nothing(tmp_path: Path) -> None:
    argv = " ".join((*ENVCHECK, "watch", "--", "sh", "-c", "'exit 3'"))

    assert subprocess.run(["sh", "-c", f"exec 2>&-; {argv}"], check=False, cwd=tmp_path).returncode == 3


def test_signals_are_ignored_where_we_were_told_to_ignore_them(tmp_path: Path) -> None:
    """Of the first 31: the C library's posix_spawn ignores its own two."""

    def ignored(before: str) -> int:
        script = f"trap '' HUP TERM; {before}grep SigIgn /proc/self/status"
        done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd=tmp_path)
        return int(done.stdout.split()[1], 16) & 0x7FFFFFFF

    assert ignored(f"{sys.executable} -m envcheck watch -- ") == ignored("") == 0x4001


def test_a_signal_sent_to_us_reaches_the_program_once(tmp_path: Path) -> None:
    script = (
        "import signal, time, sys\nseen = []\n"
        "for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):\n"
        "    signal.signal(n, lambda number, frame: seen.append(number))\n"
        "print('ready', flush=True)\nend = time.time() + 3\n"
        "while time.time() < end: time.sleep(0.05)\nprint(sorted(int(n) for n in seen))"
    )
    popen = started(tmp_path, sys.executable, "-c", script)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    for number in numbers:
        popen.send_signal(number)
        time.sleep(0.1)
    out, _ = popen.communicate(timeout=30)

    assert out.decode().strip() == str(sorted(int(number) for number in numbers))
    assert popen.returncode == 0


def test_a_program_that_signals_its_own_group_is_not_signalled_again(tmp_path: Path) -> None:
    script = (
        "import os, signal, time\nseen = []\nsignal.signal(signal.SIGUSR1, lambda n, f: seen.append(n))\n"
        "print('ready', flush=True)\ntime.sleep(0.5)\nos.kill(0, signal.SIGUSR1)\n"
        "end = time.time() + 1\nwhile time.time() < end: time.sleep(0.05)\nprint(len(seen))"
    )
    out, _ = started(tmp_path, sys.executable, "-c", script).communicate(timeout=30)

    assert out == b"1\n"


def test_a_program_that_ignores_sigterm_is_watched_to_its_end(tmp_path: Path) -> None:
    popen = started(tmp_path, "sh", "-c", "trap '' TERM; echo ready; sleep 2; echo done; exit 5")
    popen.terminate()
    out, _ = popen.communicate(timeout=30)

    assert (out, popen.returncode) == (b"done\n", 5)


def test_a_program_that_forks_and_exits_is_followed_and_its_children_are_named(tmp_path: Path) -> None:
    ran = watch("sh", "-c", "(setsid sleep 4 >/dev/null 2>&1 &) ; sleep 1; exit 4", folder=tmp_path)

    assert (ran.code, ran.verdict) == (4, "unknown")
    assert "RES611" in ran.codes
    assert any(process["name"] == "sleep" and process["alive"] for process in ran.report["watched"]["processes"])


def test_a_pipeline_is_watched_whole(tmp_path: Path) -> None:
    ran = watch("sh", "-c", "head -c 1500000000 /dev/zero | md5sum | (sleep 1; cat)", folder=tmp_path)

    assert {process["name"] for process in ran.report["watched"]["processes"]} == {"sh"}
    assert ran.report["watched"]["folded"] >= 2
    assert len(ran.stdout) == 36
    assert (ran.code, ran.verdict) == (0, "on-cpu")


# --- a terminal ---------------------------------------------------------------------------------------------------


class Terminal:
    """A real terminal with a shell in it."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("tmux") is None:
            unable("needs tmux; enable with: apt-get install tmux")
        self.socket = str(folder / "tmux")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "bash --norc --noprofile")
        self.type("PS1='prompt> '")
        self.until("prompt> ")

    def tmux(self, *arguments: str) -> str:
        """One tmux command."""
        done = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, check=False)
        return done.stdout

    def type(self, line: str) -> None:
        """A line and Enter."""
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def key(self, name: str) -> None:
        """A key such as C-c."""
        self.tmux("send-keys", name)

    def screen(self) -> str:
        """What stands there."""
        return self.tmux("capture-pane", "-p", "-S", "-200")

    def until(self, *words: str, seconds: float = 20) -> str:
        """Wait until all words stand there, in this order."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text, at = self.screen(), 0
            for word in words:
                at = text.find(word, at) + len(word) if word in text[at:] else -1
                if at < 0:
                    break
            if at >= 0:
                return text
            time.sleep(0.1)
        raise AssertionError(f"{words} did not appear:\n{self.screen()}")

    def close(self) -> None:
        """End it."""
        self.tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Any:
    """A terminal, ended with the test."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


COUNTING = """\
import signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda n, f: (seen.append(n), print("int", len(seen), flush=True)))
signal.signal(signal.SIGWINCH, lambda n, f: print("winch", flush=True))
print("ready", sys.stdin.isatty(), sys.stdout.isatty(), flush=True)
for line in sys.stdin:
    print("got", line.strip(), flush=True)
    if line.strip() == "quit":
        sys.exit(9)
"""


def test_in_a_terminal_ctrl_c_ctrl_z_and_a_new_size_reach_the_program_as_if_alone(
    terminal: Terminal, tmp_path: Path
) -> None:
    program = tmp_path / "counting.py"
    program.write_text(COUNTING, encoding="utf-8")
    terminal.type(f"{sys.executable} -m envcheck watch --report {tmp_path}/report -- {sys.executable} {program}")
    terminal.until("ready True True")
    terminal.key("C-c")
    terminal.until("int 1")
    terminal.type("one")
    terminal.until("got one")
    terminal.key("C-z")
    terminal.until("Stopped", "prompt>")
    terminal.type("echo shell-$((1+1))")
    terminal.until("shell-2")
    terminal.type("fg")
    time.sleep(0.5)
    terminal.type("two")
    terminal.until("got two")
    terminal.tmux("resize-window", "-x", "90", "-y", "30")
    terminal.until("winch")
    terminal.type("quit")
    terminal.until("got quit", "prompt>")
    terminal.type("echo code-$?")
    text = terminal.until("code-9")

    assert "int 2" not in text


def test_in_a_terminal_a_shell_of_its_own_has_job_control(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type(f"{sys.executable} -m envcheck watch --report {tmp_path}/r -- bash --norc --noprofile -i")
    time.sleep(2)
    terminal.type("PS1='inner> '")
    terminal.until("inner> ")
    terminal.type("sleep 100")
    time.sleep(0.5)
    terminal.key("C-z")
    terminal.until("Stopped", "inner>")
    terminal.type("kill -KILL %1")
    time.sleep(0.5)
    terminal.type("")
    terminal.until("Killed")
    terminal.type("exit 6")
    terminal.until("exit 6", "prompt>")
    terminal.type("echo code-$?")
    terminal.until("code-6")


def test_in_a_terminal_ctrl_c_ends_the_watching_of_a_process_and_not_the_process(
    terminal: Terminal, tmp_path: Path
) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        terminal.type(f"{sys.executable} -m envcheck watch --pid {sleeper.pid}; echo code-$?")
        time.sleep(3)
        terminal.key("C-c")
        text = terminal.until("on-cpu", "still runs", "code-1")
        assert sleeper.poll() is None
        sleeper.kill()

    assert "Traceback" not in text


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--",), 2, "nothing to watch"),
        ((), 2, "nothing to watch"),
        (("--", "/nonexistent/program"), 127, "command not found"),
        (("--", "no-such-command"), 127, "command not found"),
        (("--", "/etc/passwd"), 126, "cannot be executed"),
        (("--", "/etc"), 126, "cannot be executed"),
        (("--", ""), 127, "command not found"),
        (("--pid", "many"), 2, "valid integer"),
        (("--pid", "0"), 2, "no process id"),
        (("--pid", "-5"), 2, "no process id"),
        (("--pid", "4194999"), 2, "no process 4194999"),
        (("--pid", "99999999999999999999"), 2, "no process"),
        (("--pid", "1", "--", "true"), 2, "exclude each other"),
        (("--pid", "1", "--native-log"), 2, "need a command"),
        (("--pid", "1", "--seconds", "0"), 2, "not a number above 0"),
        (("--pid", "1", "--seconds", "nan"), 2, "not a number above 0"),
        (("--seconds", "3", "--", "true"), 2, "needs --pid"),
        (("--json", "/nonexistent/file", "--", "true"), 2, "cannot be written"),
        (("--unknown", "--", "true"), 2, "--unknown"),
    ],
)
def test_bad_input_is_refused_with_a_way_out_and_runs_nothing(
    arguments: tuple[str, ...], code: int, words: str, tmp_path: Path
) -> None:
    done = subprocess.run([*ENVCHECK, "watch", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_that_is_gone_or_only_a_zombie_is_named_as_such(tmp_path: Path) -> None:
    popen = subprocess.Popen(["true"])
    time.sleep(0.3)
    zombie = watch(options=("--pid", str(popen.pid)), folder=tmp_path)
    popen.wait()
    gone = watch(options=("--pid", str(popen.pid)), folder=tmp_path)

    assert (zombie.code, gone.code) == (2, 2)
    assert b"has ended" in zombie.stderr
    assert b"there is no process" in gone.stderr


def test_a_script_without_a_first_line_runs_as_in_a_shell(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hello $1\n", encoding="utf-8")
    script.chmod(0o755)

    assert watch(str(script), "you", folder=tmp_path).stdout == b"hello you\n"


@pytest.mark.root
def test_another_users_process_is_could_not_look_and_never_a_verdict(tmp_path: Path) -> None:
    """Root's process, watched by nobody: through a copy of the interpreter's environment that nobody may read."""
    probe = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    readable = subprocess.run([*probe, *ENVCHECK, "--version"], capture_output=True, check=False, cwd="/")
    if readable.returncode != 0:
        pytest.skip("envcheck lies where only root can read it")
    with subprocess.Popen(["sleep", "30"]) as sleeper:
        done = subprocess.run(
            [*probe, *ENVCHECK, "watch", "--pid", str(sleeper.pid), "--seconds", "1"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        sleeper.kill()

    assert done.returncode == 1
    assert "unknown:" in done.stderr
    assert "RES608" in done.stderr


# --- verdicts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fakes:
    """A program, and libraries that look like NVIDIA's."""

    program: str
    front: str
    core: str
    cuda: str
    nvml: str


def compile_c(*arguments: str) -> None:
    """gcc."""
    subprocess.run(["gcc", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Fakes:
    """Compiled once."""
    if shutil.which("gcc") is None or not Path("/usr/include/EGL/egl.h").exists():
        unable("needs gcc and EGL's headers; enable with: apt-get install gcc libegl-dev libgles-dev")
    folder = tmp_path_factory.mktemp("fakes")
    made = {}
    for key, name in (
        ("front", "libEGL_nvidia.so.0"),
        ("core", "libnvidia-eglcore.so.570.124.06"),
        ("cuda", "libcuda.so.1"),
    ):
        (folder / "empty.c").write_text("int nothing;\n", encoding="utf-8")
        made[key] = str(folder / name)
        compile_c("-shared", "-fPIC", "-o", made[key], str(folder / "empty.c"))
    (folder / "nvml").mkdir()
    compile_c("-shared", "-fPIC", "-o", str(folder / "nvml" / "libnvidia-ml.so.1"), str(HERE / "watch_nvml.c"))
    program = str(folder / "gpuapp")
    compile_c("-O1", "-o", program, str(HERE / "watch_program.c"), "-lEGL", "-lGLESv2", "-ldl")
    return Fakes(program, made["front"], made["core"], made["cuda"], str(folder / "nvml"))


PRIVATE_DEV = (
    "mount -t tmpfs none /mnt && for d in null zero urandom random tty; do cp -a /dev/$d /mnt/$d; done;"
    ' mknod /mnt/nvidia0 c 1 3; mknod /mnt/nvidiactl c 1 3; mount --bind /mnt /dev; exec "$@"'
)
IN_PRIVATE_DEV = ("unshare", "-m", "sh", "-c", PRIVATE_DEV, "sh")
"""A /dev of its own, with device files where NVIDIA's would be."""

DEVICE = "/dev/nvidia0"
SEEING = {"STANDIN_COMM": "gpuapp"}


def on_fake_gpu(
    fakes: Fakes, folder: Path, *opened: str, settings: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> Watched:
    """The program with these libraries and files, under the stand-in for NVML."""
    env = {"LD_LIBRARY_PATH": fakes.nvml, **(SEEING if settings is None else settings)}
    return watch(fakes.program, "4", *opened, env=env, wrapper=IN_PRIVATE_DEV, folder=folder, options=options)


@pytest.fixture
def own_pids() -> None:
    """NVML's process numbers can be compared with ours only outside of containers."""
    if nested_pids() is not False:
        pytest.skip("this is a PID namespace; the case needs the host's")


@pytest.mark.root
@pytest.mark.usefixtures("own_pids")
def test_all_witnesses_together_prove_the_gpu(fakes: Fakes, tmp_path: Path) -> None:
    ran = on_fake_gpu(fakes, tmp_path, fakes.front, fakes.core, DEVICE, options=("--require-gpu",))

    assert (ran.verdict, ran.report["status"], ran.code, ran.codes) == ("on-gpu", "PASS", 0, [])
    assert "570.124.06" in ran.report["because"]
    (gpu,) = ran.report["watched"]["gpus"]
    assert gpu["working"]
    assert gpu["power_before"] == pytest.approx(90, rel=0.2)


@pytest.mark.root
@pytest.mark.usefixtures("own_pids")
@pytest.mark.parametrize(
    ("missing", "settings", "verdict"),
    [
        ("core", SEEING, "unknown"),
        ("front core", SEEING, "unknown"),
        ("device", SEEING, "unknown"),
        ("", {}, "unknown"),
        ("", {**SEEING, "STANDIN_SM": "0"}, "unknown"),
        ("", {**SEEING, "STANDIN_LIST": "none"}, "unknown"),
        ("", {**SEEING, "STANDIN_LIST": "denied"}, "unknown"),
        ("front core device", {}, "on-cpu"),
        ("front core device", SEEING, "contradictory"),
    ],
    ids=[
        "asked, not initialised",
        "no library",
        "no device file",
        "not on any list",
        "idle context",
        "works, not listed",
        "lists denied",
        "nothing",
        "only NVML",
    ],
)
def test_without_any_one_witness_nothing_passes(
    missing: str, settings: dict[str, str], verdict: str, fakes: Fakes, tmp_path: Path
) -> None:
    opened = {"front": fakes.front, "core": fakes.core, "device": DEVICE}
    kept = [path for name, path in opened.items() if name not in missing.split()]
    ran = on_fake_gpu(fakes, tmp_path, *kept, settings=settings, options=("--require-gpu",))

    assert ran.verdict == verdict
    assert ran.code == 1


@pytest.mark.root
def test_a_driver_that_hangs_delays_the_program_a_little_and_stops_nothing(fakes: Fakes, tmp_path: Path) -> None:
    begun = time.monotonic()
    env = {"LD_LIBRARY_PATH": fakes.nvml, "STANDIN_SLOW": "30"}
    ran = watch("sh", "-c", "echo out; exit 7", env=env, folder=tmp_path)

    assert (ran.code, ran.stdout) == (7, b"out\n")
    assert time.monotonic() - begun < 15


@pytest.mark.root
@pytest.mark.usefixtures("own_pids")
def test_cuda_work_in_the_same_process_proves_nothing_for_gl(fakes: Fakes, tmp_path: Path) -> None:
    """A CPU FaceMesh that holds an idle GL context, beside a CUDA framework that works."""
    both = {**SEEING, "STANDIN_LIST": "compute"}
    ran = on_fake_gpu(fakes, tmp_path, fakes.front, fakes.core, fakes.cuda, DEVICE, settings=both)
    alone = on_fake_gpu(fakes, tmp_path, fakes.cuda, DEVICE, settings=both)

    assert ran.verdict == "unknown"
    assert "CUDA" in ran.report["because"]
    assert (alone.verdict, alone.codes) == ("cuda-only", ["GPU122"])


@pytest.mark.root
def test_in_a_pid_namespace_nvmls_lists_are_not_believed(fakes: Fakes, tmp_path: Path) -> None:
    namespace = ("unshare", "-p", "-f", "--mount-proc", *IN_PRIVATE_DEV)
    env = {"LD_LIBRARY_PATH": fakes.nvml, **SEEING}
    opened = (fakes.front, fakes.core, DEVICE)
    ran = watch(fakes.program, "3", *opened, env=env, wrapper=namespace, folder=tmp_path)

    assert ran.verdict == "unknown"
    assert "PID namespace" in ran.report["because"]
    assert "on the host" in ran.report["settle"]


@pytest.mark.root
@pytest.mark.usefixtures("own_pids")
def test_a_running_process_is_attached_to_and_judged(fakes: Fakes, tmp_path: Path) -> None:
    command = [*IN_PRIVATE_DEV, fakes.program, "8", fakes.front, fakes.core, DEVICE]
    with subprocess.Popen(command) as popen:
        time.sleep(1)
        env = {"LD_LIBRARY_PATH": fakes.nvml, **SEEING}
        ran = watch(options=("--pid", str(popen.pid), "--seconds", "4"), env=env, folder=tmp_path)

        assert (ran.verdict, ran.code) == ("on-gpu", 0)
        assert popen.wait() == 0


@pytest.mark.software_gl
def test_a_c_program_that_draws_on_mesa_is_on_software_gl(fakes: Fakes, tmp_path: Path) -> None:
    ran = watch(fakes.program, "3", "egl", env={"EGL_PLATFORM": "surfaceless"}, folder=tmp_path)

    assert (ran.verdict, ran.code) == ("on-software-gl", 0)
    assert "EGL207" in ran.codes


def test_a_program_too_short_to_see_is_unknown(tmp_path: Path) -> None:
    ran = watch("true", folder=tmp_path, options=("--require-gpu",))

    assert (ran.verdict, ran.code, ran.codes) == ("unknown", 1, ["RES609"])


# --- MediaPipe itself ---------------------------------------------------------------------------------------------

APP = """\
import sys, time
import numpy, mediapipe
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision
model, frames, delegate, seconds = sys.argv[1:5]
frames = numpy.load(frames)
options = vision.FaceLandmarkerOptions(
    base_options=tasks.BaseOptions(
        model_asset_buffer=open(model, "rb").read(), delegate=tasks.BaseOptions.Delegate[delegate]),
    running_mode=vision.RunningMode.VIDEO)
number = 0
with vision.FaceLandmarker.create_from_options(options) as landmarker:
    end = time.time() + float(seconds)
    while time.time() < end:
        number += 1
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGBA, data=frames[number % len(frames)])
        landmarker.detect_for_video(image, number * 33)
print(number)
"""


@dataclass(frozen=True)
class App:
    """The script of a user, and what it works on."""

    script: str
    model: str
    frames: str


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """Written once."""
    import numpy as np

    from envcheck.model import Workload
    from envcheck.workload import build_frames, resolve_model

    folder = tmp_path_factory.mktemp("app")
    (folder / "app.py").write_text(APP, encoding="utf-8")
    (folder / "model.task").write_bytes(resolve_model("default", folder)[0])
    np.save(folder / "frames.npy", build_frames(Workload(), 8).frames)
    return App(*(str(folder / name) for name in ("app.py", "model.task", "frames.npy")))


@pytest.mark.network
@pytest.mark.software_gl
@pytest.mark.parametrize(
    ("version", "delegate", "options", "verdict"),
    [
        ("1.2.2", "CPU", (), "on-cpu"),
        ("0.10.21", "CPU", (), "on-cpu"),
        ("0.10.21", "CPU", ("--native-log",), "on-cpu"),
        ("0.10.21", "GPU", (), "on-software-gl"),
        ("0.10.21", "GPU", ("--native-log",), "on-software-gl"),
    ],
)
def test_facelandmarker_is_seen_where_it_works(
    version: str,
    delegate: str,
    options: tuple[str, ...],
    verdict: str,
    app: App,
    python_with: PythonWith,
    tmp_path: Path,
) -> None:
    command = (*python_with(version), app.script, app.model, app.frames, delegate, "8")
    ran = watch(*command, options=options, env={"EGL_PLATFORM": "surfaceless"}, folder=tmp_path)

    assert (ran.verdict, ran.code) == (verdict, 0)
    assert int(ran.stdout) > 0
    if options:
        names = ran.report["watched"]["log"]["calculators"]
        assert names[:2] == (["Gl", "Gl"] if delegate == "GPU" else ["Cpu", "Cpu"])
        assert b"Using" in ran.stderr


@pytest.mark.network
def test_a_version_that_names_no_calculators_is_said_to_be_silent(
    app: App, python_with: PythonWith, tmp_path: Path
) -> None:
    command = (*python_with("1.2.2"), app.script, app.model, app.frames, "CPU", "3")
    ran = watch(*command, options=("--native-log",), folder=tmp_path)

    assert ran.verdict == "on-cpu"
    assert "MPP416" in ran.codes
