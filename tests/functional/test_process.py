"""Real children that misbehave, and the outcome each of them has."""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from envcheck import process
from envcheck.errors import InterruptedRunError
from envcheck.process import Closed, Conversation, Exit, TimedOut, TooLong, run
from tests.children import child
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024 * 1024

FLOOD = "import os\nwhile True: os.write({fd}, b'x' * 65536)"
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
LEAVES_GRANDCHILD = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session={apart})\n"
    "print(child.pid, flush=True)"
)
SOON_S = 2.0
"""A deadline before which a shell has surely said its word: it starts in a few milliseconds."""
HANG_S = 300.0
"""What takes this long waits for the child, which sleeps for twice as long."""


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone_soon(pid: int) -> bool:
    until = time.monotonic() + PATIENCE_S
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_alive(pid)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test must leave no process, no thread and no open descriptor of ours behind."""
    threads, descriptors = set(threading.enumerate()), psutil.Process().num_fds()
    children = set(psutil.Process().children())
    yield
    process.resume()
    until = time.monotonic() + PATIENCE_S
    while set(threading.enumerate()) - threads and time.monotonic() < until:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= threads
    assert set(psutil.Process().children()) <= children
    assert psutil.Process().num_fds() <= descriptors


# --- one command --------------------------------------------------------------------------------------------------


def test_a_command_is_reported_with_both_streams_and_its_status() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), deadline_s=HANG_S)

    assert (done.stdout, done.stderr, done.returncode, done.signal) == (b"out\n", b"err\n", 3, None)
    assert not done.succeeded
    assert done.describe() == "exit status 3"
    assert 0 < done.seconds < HANG_S


def test_environment_and_folder_are_the_ones_given(tmp_path: Path) -> None:
    code = "import os; print(os.environ.get('ONLY'), 'PATH' in os.environ, os.getcwd())"

    done = run(python(code), deadline_s=HANG_S, env={"ONLY": "this"}, cwd=tmp_path)

    assert done.stdout.decode().split() == ["this", "False", str(tmp_path.resolve())]


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["/no/such/program"], "No such file or directory: /no/such/program"),
        (["/etc/passwd"], "Permission denied: /etc/passwd"),
        (["a\0b"], "embedded null byte"),
    ],
    ids=["missing", "not-executable", "null-byte"],
)
def test_what_cannot_be_started_is_an_outcome(argv: list[str], reason: str) -> None:
    done = run(argv, deadline_s=HANG_S)

    assert (done.started, done.reason) == (False, reason)
    assert done.describe() == f"could not start: {reason}"
    assert not done.succeeded


def test_a_missing_working_folder_is_named(tmp_path: Path) -> None:
    assert run(python(""), deadline_s=HANG_S, cwd=tmp_path / "gone").reason.endswith("gone")


def test_a_segfault_is_named_by_its_signal() -> None:
    done = run(python("import ctypes; ctypes.string_at(0)"), deadline_s=HANG_S)

    assert (done.returncode, done.signal, done.describe()) == (None, "SIGSEGV", "killed by SIGSEGV")


def test_a_hang_ends_at_the_deadline_with_what_it_said_before() -> None:
    done = run(shell("echo here; exec sleep 600"), deadline_s=SOON_S)

    assert (done.timed_out, done.signal, done.stdout) == (True, "SIGTERM", b"here\n")
    assert SOON_S <= done.seconds < HANG_S
    assert done.describe() == f"ended at its deadline, after {done.seconds:.0f} s"


def test_one_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    done = run(shell("trap '' TERM; echo up; exec sleep 600"), deadline_s=SOON_S)

    assert (done.timed_out, done.signal, done.stdout) == (True, "SIGKILL", b"up\n")
    assert SOON_S + process.GRACE_S <= done.seconds < HANG_S


@pytest.mark.parametrize("fd", [1, 2], ids=["stdout", "stderr"])
def test_a_flood_is_cut_in_the_middle_and_takes_no_memory(fd: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    done = run(python(f"import os\nos.write({fd}, b'first')\n" + FLOOD.format(fd=fd)), deadline_s=4.0, limit=MIB)

    kept, dropped = (done.stdout, done.stdout_dropped) if fd == 1 else (done.stderr, done.stderr_dropped)
    assert done.timed_out
    assert kept.startswith(b"first")
    assert len(kept) < MIB + 100
    assert dropped > MIB
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 40, "MiB"


@pytest.mark.parametrize("apart", [False, True], ids=["same-group", "own-session"])
def test_a_grandchild_that_keeps_the_pipes_does_not_keep_us(apart: bool) -> None:
    done = run(python(LEAVES_GRANDCHILD.format(apart=apart)), deadline_s=HANG_S)

    grandchild = int(done.stdout)
    assert done.succeeded
    assert done.seconds < HANG_S
    if apart:
        os.kill(grandchild, signal.SIGKILL)
    assert gone_soon(grandchild)


def test_the_deadline_kills_the_grandchildren_too() -> None:
    done = run(shell("sleep 600 & echo $!; wait"), deadline_s=SOON_S)

    assert done.timed_out
    assert gone_soon(int(done.stdout))


def test_a_hundred_megabytes_go_through_standard_input() -> None:
    data = os.urandom(MIB) * 100

    done = run(python("import sys; print(len(sys.stdin.buffer.read()))"), deadline_s=HANG_S, stdin=data)

    assert int(done.stdout) == len(data)


@pytest.mark.parametrize(
    "code", ["import os, time; os.close(0); time.sleep(0.3)", "import sys; sys.exit(0)"], ids=["closes-stdin", "exits"]
)
def test_input_that_nobody_takes_is_no_error(code: str) -> None:
    assert run(python(code), deadline_s=HANG_S, stdin=b"x" * 10 * MIB).succeeded


def test_input_that_nobody_reads_ends_at_the_deadline() -> None:
    assert run(python("import time; time.sleep(600)"), deadline_s=0.5, stdin=b"x" * 10 * MIB).timed_out


# --- conversations ------------------------------------------------------------------------------------------------

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"


def test_messages_go_back_and_forth_and_closing_lets_it_end_by_itself() -> None:
    with Conversation.start(python(ECHO)) as echo:
        assert echo.pid is not None
        for text in (b"one", b"", b"three"):
            assert echo.send(text + b"\n", HANG_S) is None
            assert echo.receive_line(HANG_S) == text
        assert echo.close(HANG_S) == Exit(returncode=0)
        assert echo.receive_line(1) == Closed(Exit(returncode=0))
        assert echo.send(b"x", 1) == Closed(Exit(returncode=0))


def test_a_message_may_be_a_hundred_megabytes_while_the_child_talks_too() -> None:
    code = (
        "import sys\ntotal = 0\n"
        "while total < 100 << 20:\n"
        "    total += len(sys.stdin.buffer.read(1 << 20))\n"
        "    print('x' * 100_000, flush=True); print('log', file=sys.stderr)\n"
        "print(total, flush=True)"
    )
    with Conversation.start(python(code)) as child:
        assert child.send(bytes(100 * MIB), HANG_S) is None
        lines = [child.receive_line(HANG_S) for _ in range(101)]
        assert lines[-1] == str(100 * MIB).encode()
        child.close(HANG_S)
        assert len(child.stderr_lines().lines) == 100


def test_a_silent_child_times_out_and_can_still_answer_later() -> None:
    code = "import sys, time; sys.stdin.readline(); print('late', flush=True); time.sleep(600)"
    with Conversation.start(python(code)) as child:
        assert child.receive_line(0.2) == TimedOut(0.2)
        assert child.send(b"now\n", HANG_S) is None
        assert child.receive_line(HANG_S) == b"late"


def test_an_answer_that_is_there_is_heard_though_the_deadline_has_passed() -> None:
    """On a busy machine, or stopped and continued, we may come to look only then: that is no fault of the child's."""
    with Conversation.start(python("print('there', flush=True)")) as child:
        assert child.pid is not None
        assert gone_soon(child.pid)
        assert child.receive_line(0.0) == b"there"


def test_a_child_that_does_not_read_times_out() -> None:
    with Conversation.start(python("import time; time.sleep(600)")) as child:
        begun = time.monotonic()
        assert child.send(b"x" * 10 * MIB, 0.3) == TimedOut(0.3)
        assert time.monotonic() - begun < HANG_S


def test_a_child_that_closed_its_input_is_closed_though_it_lives() -> None:
    with Conversation.start(
        python("import os, time; os.close(0); print('shut', flush=True); time.sleep(600)")
    ) as child:
        assert child.receive_line(HANG_S) == b"shut"
        outcome = child.send(b"x" * 10 * MIB, HANG_S)
        assert outcome == Closed(Exit())
        assert isinstance(outcome, Closed)
        assert outcome.describe() == "still running"


def test_what_it_said_before_it_crashed_is_still_heard() -> None:
    code = "import ctypes, sys; print('stage', flush=True); print('half', end='', flush=True); ctypes.string_at(0)"
    with Conversation.start(python(code)) as child:
        while child.send(b"x" * MIB, HANG_S) is None:
            pass
        assert child.receive_line(HANG_S) == b"stage"
        assert child.receive_line(HANG_S) == Closed(Exit(signal="SIGSEGV"), rest=b"half")


def test_one_that_exits_at_once_is_closed_with_its_status() -> None:
    with Conversation.start(python("import sys; sys.exit(7)")) as child:
        assert child.receive_line(HANG_S) == Closed(Exit(returncode=7))


def test_one_that_cannot_be_started_answers_closed_with_the_reason() -> None:
    with Conversation.start(["/no/such/program"]) as child:
        expected = Closed(reason="No such file or directory: /no/such/program")
        assert child.pid is None
        assert child.send(b"x", 1) == expected
        assert child.receive_line(1) == expected
        assert child.stderr_lines() == ((), 0)
        assert child.close() == Exit()


def test_a_line_without_an_end_is_too_long_and_stays_so() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Conversation.start(python(FLOOD.format(fd=1))) as child:
        expected = TooLong(MIB, b"x" * 200)
        assert child.receive_line(HANG_S, MIB) == expected
        assert child.receive_line(HANG_S) == expected
        time.sleep(0.3)
        assert child.kill() == Exit(signal="SIGKILL")
        assert child.receive_line(HANG_S) == expected
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 60, "MiB"


def test_an_endless_log_keeps_its_first_and_last_lines_and_blocks_nobody() -> None:
    code = (
        "import sys\nfor n in range(200_000): print(n, 'y' * 50, file=sys.stderr)\n"
        "print('z' * 100_000, file=sys.stderr); print('done', flush=True); sys.stdin.read()"
    )
    with Conversation.start(python(code)) as child:
        assert child.receive_line(HANG_S) == b"done"
        child.close(HANG_S)
        lines, dropped = child.stderr_lines()

    assert (lines[0][:2], lines[399][:4], len(lines), dropped) == ("0 ", "399 ", 800, 200_001 - 800)
    assert lines[-1] == "z" * 2000


def test_a_log_flood_without_a_newline_takes_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Conversation.start(python(FLOOD.format(fd=2))) as child:
        assert child.receive_line(1.0) == TimedOut(1.0)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 40, "MiB"


def test_a_child_that_ends_while_its_grandchild_holds_the_pipes_is_closed() -> None:
    with Conversation.start(python(LEAVES_GRANDCHILD.format(apart=False))) as child:
        line = child.receive_line(HANG_S)
        assert isinstance(line, bytes)
        assert child.receive_line(HANG_S) == Closed(Exit(returncode=0))
    assert gone_soon(int(line))


def test_closing_one_that_ignores_everything_kills_it() -> None:
    with Conversation.start(python(IGNORES_SIGTERM)) as child:
        assert child.receive_line(HANG_S) == b"up"
        assert child.close(0.2) == Exit(signal="SIGKILL")


def test_whoever_waits_for_an_answer_is_told_when_another_thread_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C amid `bench` took as long as an answer may: the pipe was closed under a thread that was slow."""
    heard: list[object] = []
    waiting, select = threading.Event(), selectors.DefaultSelector.select

    def slow(selector: selectors.DefaultSelector, timeout: float | None = None) -> object:
        if threading.current_thread() is listener:
            waiting.set()
            time.sleep(1)  # in which the child ends, and is buried
        return select(selector, timeout)

    with Conversation.start(python("import time; time.sleep(600)")) as talk:
        listener = threading.Thread(target=lambda: heard.append(talk.receive_line(HANG_S)))
        monkeypatch.setattr(selectors.DefaultSelector, "select", slow)
        listener.start()
        assert waiting.wait(HANG_S)
        assert talk.kill() == Exit(signal="SIGKILL")
        listener.join(HANG_S)

    assert heard == [Closed(Exit(signal="SIGKILL"))]


def test_waiting_costs_no_processor_time() -> None:
    """One that looks again and again all the time takes the whole second; the rest of pytest may take a little."""
    with Conversation.start(python("import time; time.sleep(600)")) as child:
        before = time.process_time()
        assert child.receive_line(1.0) == TimedOut(1.0)
        assert time.process_time() - before < 0.2


# --- all of them --------------------------------------------------------------------------------------------------


def test_kill_all_ends_commands_of_every_thread_and_refuses_new_ones() -> None:
    seen: list[process.Completed] = []
    threads = [
        threading.Thread(target=lambda: seen.append(run(python("import time; time.sleep(600)"), deadline_s=600)))
        for _ in range(4)
    ]
    before = set(psutil.Process().children())
    for thread in threads:
        thread.start()
    wait_until(lambda: len(set(psutil.Process().children()) - before) == len(threads), "the children", 0.01)

    assert process.kill_all() == len(threads)
    for thread in threads:
        thread.join(HANG_S)

    assert [done.signal for done in seen] == ["SIGKILL"] * len(threads)
    with pytest.raises(InterruptedRunError):
        run(python(""), deadline_s=HANG_S)
    process.resume()
    assert run(python(""), deadline_s=HANG_S).succeeded


OUR_OWN = """
import sys, time
from envcheck import process
child = "import time; print('up', flush=True); time.sleep(600)"
with process.interruptible():
    try:
        talk = process.Conversation.start([sys.executable, "-I", "-c", child])
        talk.receive_line(300)
        print(talk.pid, flush=True)
        process.run([sys.executable, "-I", "-c", child], deadline_s=600)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_us_and_all_our_children(number: signal.Signals) -> None:
    with child([sys.executable, "-c", OUR_OWN], stdout=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        worker = int(ours.stdout.readline())
        wait_until(lambda: len(psutil.Process(ours.pid).children()) == 2, "a second child", 0.01)
        children = psutil.Process(ours.pid).children()
        ours.send_signal(number)

        assert ours.stdout.read() == b"interrupted\n"
        assert ours.wait(HANG_S) == 130
    assert all(gone_soon(child.pid) for child in children)
    assert worker in {child.pid for child in children}


ELSEWHERE = """
import signal, sys, threading
from envcheck import process
child = "import time; time.sleep(600)"
def work():
    process.run([sys.executable, "-I", "-c", child], deadline_s=600)
def receive():
    sys.stdin.readline()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    threading.Event().wait()
for target in (work, receive):
    threading.Thread(target=target, daemon=True).start()
with process.interruptible():
    try:
        print("up", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_a_signal_that_another_thread_receives_wakes_the_main_thread() -> None:
    """Linux 6.18 gave a process's SIGTERM to its idle threads in half of all runs; validate went on waiting."""
    with child([sys.executable, "-c", ELSEWHERE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"up\n"
        ours.communicate(b"now\n", timeout=HANG_S)

        assert ours.returncode == 130


def test_an_ordinary_end_of_the_interpreter_kills_a_forgotten_child() -> None:
    code = (
        "import sys; from envcheck import process\n"
        "talk = process.Conversation.start([sys.executable, '-I', '-c', 'import time; time.sleep(600)'])\n"
        "print(talk.pid)"
    )

    done = run([sys.executable, "-c", code], deadline_s=HANG_S)

    assert done.succeeded, done.stderr
    assert gone_soon(int(done.stdout))
