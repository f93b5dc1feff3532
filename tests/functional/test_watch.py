"""`envcheck watch` on real programs: they are left alone in every way that a program can notice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from envcheck.cli import run
from envcheck.errors import UsageError
from envcheck.watch import proc
from tests.children import child
from tests.conftest import unable
from tests.functional.watching import DEADLINE_S, ENVCHECK, watch
from tests.waiting import PATIENCE_S, wait_until


@contextmanager
def started(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """`envcheck watch -- COMMAND`, running; the command says `ready` first."""
    argv = [*ENVCHECK, "watch", "--report", folder / "report", "--", *command]
    with child(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"ready\n"
        yield popen


# --- the program is left alone ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_programs_own(code: int, tmp_path: Path) -> None:
    assert watch("sh", "-c", f"exit {code}", folder=tmp_path).code == code


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGTERM", "SIGPIPE"])
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
    """The program waits for its reader to say that it has seen the end."""
    seen = tmp_path / "seen"
    wait = f"for i in $(seq 3000); do [ -e {seen} ] && exit 6; sleep 0.1; done; exit 7"
    with started(tmp_path, "sh", "-c", f"echo ready; exec >&-; {wait}") as popen:
        assert popen.stdout is not None
        assert popen.stdout.read() == b""
        seen.touch()
        popen.communicate(timeout=DEADLINE_S)

    assert popen.returncode == 6


def test_a_closed_standard_error_changes_nothing(tmp_path: Path) -> None:
    argv = " ".join((*ENVCHECK, "watch", "--", "sh", "-c", "'exit 3'"))

    assert subprocess.run(["sh", "-c", f"exec 2>&-; {argv}"], check=False, cwd=tmp_path).returncode == 3


def test_signals_are_ignored_where_we_were_told_to_ignore_them(tmp_path: Path) -> None:
    """Of the first 31: the C library's posix_spawn ignores its own two. A background job ignores two more."""

    def ignored(before: str) -> int:
        script = f"trap '' HUP TERM; {before}grep SigIgn /proc/self/status"
        done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd=tmp_path)
        return int(done.stdout.split()[1], 16) & 0x7FFFFFFF

    alone = ignored("")
    assert ignored(f"{sys.executable} -m envcheck watch -- ") == alone
    assert alone & 0x4001 == 0x4001


def test_a_signal_sent_to_us_reaches_the_program_once(tmp_path: Path) -> None:
    script = (
        "import signal, time, sys\nseen = []\n"
        "for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):\n"
        "    signal.signal(n, lambda number, frame: seen.append(number))\n"
        "print('ready', flush=True)\nend = time.time() + 300\n"
        "while time.time() < end and len(seen) < 4: time.sleep(0.05)\ntime.sleep(0.3)\n"
        "print(sorted(int(n) for n in seen))"
    )
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    with started(tmp_path, sys.executable, "-c", script) as popen:
        for number in numbers:
            popen.send_signal(number)
            time.sleep(0.1)
        out, _ = popen.communicate(timeout=DEADLINE_S)

    assert out.decode().strip() == str(sorted(int(number) for number in numbers))
    assert popen.returncode == 0


def test_a_program_that_signals_its_own_group_is_not_signalled_again(tmp_path: Path) -> None:
    script = (
        "import os, signal, time\nseen = []\nsignal.signal(signal.SIGUSR1, lambda n, f: seen.append(n))\n"
        "print('ready', flush=True)\ntime.sleep(0.5)\nos.kill(0, signal.SIGUSR1)\n"
        "end = time.time() + 1\nwhile time.time() < end: time.sleep(0.05)\nprint(len(seen))"
    )
    with started(tmp_path, sys.executable, "-c", script) as popen:
        out, _ = popen.communicate(timeout=DEADLINE_S)

    assert out == b"1\n"


def test_a_program_that_ignores_sigterm_is_watched_to_its_end(tmp_path: Path) -> None:
    with started(tmp_path, "sh", "-c", "trap '' TERM; echo ready; sleep 1; echo done; exit 5") as popen:
        popen.terminate()
        out, _ = popen.communicate(timeout=DEADLINE_S)

    assert (out, popen.returncode) == (b"done\n", 5)


def test_a_program_that_forks_and_exits_is_followed_and_its_children_are_named(tmp_path: Path) -> None:
    ran = watch("sh", "-c", "(setsid sleep 600 >/dev/null 2>&1 &) ; sleep 1; exit 4", folder=tmp_path)
    left = [one for one in ran.report["watched"]["processes"] if one["name"] == "sleep" and one["alive"]]
    for one in left:
        os.kill(one["pid"], signal.SIGKILL)

    assert (ran.code, ran.verdict) == (4, "unknown")
    assert "RES611" in ran.codes
    assert left


def test_a_pipeline_is_watched_whole(tmp_path: Path) -> None:
    # long enough that what md5sum does after the last look at it is less than half of all
    ran = watch("sh", "-c", "head -c 4000000000 /dev/zero | md5sum | (sleep 1; cat)", folder=tmp_path)

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
        return self.tmux("capture-pane", "-p", "-J", "-S", "-200")

    def until(self, *words: str) -> str:
        """Wait until all words stand there, in this order."""
        deadline = time.monotonic() + PATIENCE_S
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
    terminal.until("shell-2", "prompt> fg", "counting.py")
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
    inner = "env PS1='inner> ' bash --norc --noprofile -i"
    terminal.type(f"{sys.executable} -m envcheck watch --report {tmp_path}/r -- {inner}")
    terminal.until("\ninner>")
    terminal.type("sh -c 'echo run-$((1+1)); exec sleep 100'")
    terminal.until("run-2")
    terminal.key("C-z")
    terminal.until("Stopped", "inner>")
    terminal.type("kill -KILL %1; wait %1")
    terminal.type("")
    terminal.until("Killed", "inner>")
    terminal.type("exit 6")
    terminal.until("exit 6", "prompt>")
    terminal.type("echo code-$?")
    terminal.until("code-6")


def test_in_a_terminal_ctrl_c_ends_the_watching_of_a_process_and_not_the_process(
    terminal: Terminal, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    with child(["sleep", "600"]) as sleeper:
        terminal.type(f"{sys.executable} -m envcheck watch --json {report} --pid {sleeper.pid}; echo code-$?")
        wait_until(lambda: takes_ctrl_c(str(report)), lambda: f"the watching; {terminal.screen()}")
        terminal.key("C-c")
        text = terminal.until("on-cpu", "still runs", "code-1\n")
        assert sleeper.poll() is None

    assert "Traceback" not in text


def takes_ctrl_c(word: str) -> bool:
    """True where the process with this word in its command line waits for SIGINT, which would interrupt it before.

    It blocks the signal then. The kernel shows it as not blocked in the thread that waits for it, but in all others.
    """
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if word in one.cmdline():
                return any(map(blocks_ctrl_c, Path(f"/proc/{one.pid}/task").iterdir()))
    return False


def blocks_ctrl_c(thread: Path) -> bool:
    """True for a thread with SIGINT in its signal mask."""
    lines = (thread / "status").read_text(encoding="utf-8").splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigBlk:"))
    return bool(int(mask, 16) & 1 << signal.SIGINT - 1)


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--",), "nothing to watch"),
        ((), "nothing to watch"),
        (("--pid", "many"), "valid integer"),
        (("--pid", "0"), "no process id"),
        (("--pid", "-5"), "no process id"),
        (("--pid", "4194999"), "no process 4194999"),
        (("--pid", "99999999999999999999"), "no process"),
        (("--pid", "1", "--", "true"), "exclude each other"),
        (("--pid", "1", "--native-log"), "need a command"),
        (("--pid", "1", "--seconds", "0"), "not a number above 0"),
        (("--pid", "1", "--seconds", "nan"), "not a number above 0"),
        (("--seconds", "3", "--", "touch", "ran"), "needs --pid"),
        (("--json", "/nonexistent/file", "--", "touch", "ran"), "cannot be written"),
        (("--unknown", "--", "touch", "ran"), "--unknown"),
        (("--json", "--", "touch", "ran"), "standard output is the program's"),
        (("--json", "-", "--", "touch", "ran"), "standard output is the program's"),
        (("--report", "out", "--json", "./out", "--", "touch", "ran"), "both name out"),
    ],
)
def test_bad_input_is_refused_with_a_way_out_and_runs_nothing(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["watch", *arguments]) == UsageError.exit_code
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("/nonexistent/program", 127, "command not found"),
        ("no-such-command", 127, "command not found"),
        ("", 127, "command not found"),
        ("python app.py", 127, "Without quotes"),
        ("/etc/passwd", 126, "cannot be executed"),
        ("/etc", 126, "cannot be executed"),
    ],
)
def test_what_cannot_be_started_ends_as_in_a_shell(command: str, code: int, words: str, tmp_path: Path) -> None:
    ran = watch(command, folder=tmp_path)

    assert ran.code == code
    assert words in ran.stderr.decode()
    assert b"Traceback" not in ran.stderr


def test_a_process_that_is_gone_or_only_a_zombie_is_named_as_such(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as popen:
        os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
        zombie = watch(options=("--pid", str(popen.pid)), folder=tmp_path)
    gone = watch(options=("--pid", str(popen.pid)), folder=tmp_path)

    assert (zombie.code, gone.code) == (2, 2)
    assert b"has ended" in zombie.stderr
    assert b"there is no process" in gone.stderr


def test_a_full_disk_costs_the_report_and_not_the_programs_exit_code(tmp_path: Path) -> None:
    argv = [*ENVCHECK, "watch", "--json", "/dev/full", "--report", "/dev/full", "--", "sh", "-c", "exit 3"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 3
    assert "--json /dev/full cannot be written: No space left" in done.stderr
    assert "envcheck: unknown: " in done.stderr


def test_arguments_that_are_no_text_are_passed_on_and_reported(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    argv = [*map(os.fsencode, ENVCHECK), b"watch", b"--json", os.fsencode(report), b"--", b"printf", b"\xff"]
    done = subprocess.run(argv, capture_output=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, b"\xff")
    assert json.loads(report.read_text(encoding="utf-8"))["watched"]["command"] == ["printf", "\ufffd"]


def test_a_thread_of_the_kernel_is_no_program(tmp_path: Path) -> None:
    threads = [pid for pid in proc.numbers_in(proc.PROC) if (stat := proc.stat_of(pid)) and stat.of_kernel]
    if not threads:
        pytest.skip("this PID namespace shows no thread of the kernel")
    ran = watch(options=("--pid", str(threads[0])), folder=tmp_path)

    assert ran.code == 2
    assert b"thread of the kernel" in ran.stderr


@pytest.mark.root
def test_where_proc_shows_other_numbers_nobody_is_mistaken_for_the_program(tmp_path: Path) -> None:
    ran = watch("sh", "-c", "sleep 0.5; exit 3", wrapper=("unshare", "-p", "-f"), folder=tmp_path)

    assert (ran.code, ran.verdict) == (3, "unknown")
    assert ran.report["watched"]["processes"] == []
    assert "another PID namespace" in ran.report["because"]


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
    with child(["sleep", "600"]) as sleeper:
        done = subprocess.run(
            [*probe, *ENVCHECK, "watch", "--pid", str(sleeper.pid), "--seconds", "1"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )

    assert done.returncode == 1
    assert "unknown:" in done.stderr
    assert "RES608" in done.stderr
