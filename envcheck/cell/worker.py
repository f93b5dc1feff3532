"""One FaceLandmarker process: spoken to, timed out, and turned into a WorkerRun whatever happens to it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from envcheck.cell import inside, outside
from envcheck.model import Block, Landmarks, Unread, WorkerRun, Workload
from envcheck.outcomes import Closed, TimedOut, TooLong
from envcheck.payload import preamble
from envcheck.probes import facemesh, nativelog
from envcheck.redact import redact

if TYPE_CHECKING:
    from envcheck.process import Conversation
    from envcheck.workload import FrameSet  # numpy and Pillow: a quarter of a second

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of one answer: 60 frames of landmarks are 100 kB."""
CLOSE_GRACE_S = 5.0

Ended = TypeVar("Ended", facemesh.Loaded, facemesh.Ran, facemesh.Stopped)
STAGE_BEFORE: dict[type, str] = {
    facemesh.Importing: "start",
    facemesh.Creating: "import",
    facemesh.FirstFrame: "create",
    facemesh.Loaded: "first-frame",
    facemesh.Ran: "frames",
}
"""Each answer's turn: the stage at which it may come."""


@dataclass(frozen=True)
class Material:
    """What every worker of a run is given."""

    model: bytes
    frames: FrameSet
    workload: Workload
    blendshapes: bool = False
    """Ask for blendshapes as well; only bundles that carry their model can."""


@dataclass
class Worker:
    """A worker process and what it has said so far. Not thread-safe."""

    delegate: str
    started: inside.Started
    deadline_s: float
    env: Mapping[str, str]
    api: str = "tasks"
    """tasks: FaceLandmarker; legacy: FaceMesh of `mediapipe.solutions`, which knows the CPU only."""
    solutions: bool = False
    """It has said that the legacy API is there."""
    token: str = ""
    """New with every request, so that an answer to an earlier one is none to this."""
    seen: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    warmup: list[float] = field(default_factory=list)
    landmarks: list[Landmarks] = field(default_factory=list)
    asked: int = 0
    asked_at: float = 0.0
    wall_ms: float = 0.0
    """Frames last asked for, when, and how long the answer took by this process' clock."""
    pace_ms: float = 0.0
    """Time per frame at the end of the warm-up, by this process' clock."""

    @property
    def conversation(self) -> Conversation:
        """What it is spoken to through."""
        return self.started.conversation

    @property
    def alive(self) -> bool:
        """True while nothing has gone wrong."""
        return "outcome" not in self.seen

    def load(self, material: Material) -> bool:
        """Import, create, first frame. False where any of them failed; the reason is in the record."""
        frames = material.frames.frames
        self.token = secrets.token_hex(8)
        request = {
            "do": "load",
            "token": self.token,
            "delegate": self.delegate,
            "api": self.api,
            "faces": material.workload.faces,
            "mode": material.workload.mode,
            "blendshapes": material.blendshapes,
            "model_bytes": len(material.model),
            "shape": list(frames.shape),
        }
        head = preamble("facemesh") + encode(request) + material.model
        sent = self.send(head) and self.send(frames.tobytes())  # apart: frames may be half a gigabyte
        return sent and self.expect(facemesh.Loaded) is not None

    def ask(self, first: int, count: int, *, points: Sequence[int] | None = None, look: bool = False) -> bool:
        """Start `count` frames from number `first`; `finish` takes the answer."""
        request = {"do": "run", "first": first, "count": count, "look": look}
        return self.request(request | {"points": None if points is None else list(points)}, count)

    def ask_cycles(self, count: int) -> bool:
        """Start `count` times of closing and creating anew; `finish` takes the answer, a time for each."""
        return self.request({"do": "cycle", "count": count}, count)

    def request(self, request: Mapping[str, Any], count: int) -> bool:
        """Send what is answered by `count` times, under a new token."""
        self.token = secrets.token_hex(8)
        self.asked, self.asked_at = count, time.perf_counter()
        return self.send(encode({**request, "token": self.token}))

    def finish(self) -> facemesh.Ran | None:
        """The answer to `ask`, or None where the worker failed."""
        answer = self.expect(facemesh.Ran)
        self.wall_ms = round((time.perf_counter() - self.asked_at) * 1e3, 3)
        if answer is None:
            return None
        if len(answer.times_ms) != self.asked:
            self.end("garbage", error=f"times of {len(answer.times_ms)} frames where {self.asked} were asked for")
            return None
        if answer.libraries is not None:
            self.seen |= outside.look(self.seen.get("pid")) or facemesh.account(answer)
        return answer

    def stop(self) -> WorkerRun:
        """End the process and freeze what was seen."""
        loaded = "first_ms" in self.seen
        self.token = secrets.token_hex(8)
        if self.alive and loaded and self.send(encode({"do": "stop", "token": self.token})):
            self.expect(facemesh.Stopped)
        if loaded:
            self.conversation.close(CLOSE_GRACE_S)
        self.started.kill()
        if self.alive:
            self.seen |= {"outcome": "ran", "stage": "done"} if loaded else {"outcome": "not-run"}
        self.seen.setdefault("pid", self.conversation.pid if self.started.box is None else None)
        lines, dropped = self.conversation.stderr_lines()
        return WorkerRun(
            delegate=self.delegate,
            blocks=tuple(self.blocks),
            warmup_ms=tuple(self.warmup),
            landmarks=tuple(self.landmarks),
            log=tuple(redact("\n".join(lines), self.env).split("\n")) if lines else (),
            log_dropped=dropped,
            **self.seen,
        )

    def send(self, data: bytes) -> bool:
        """False where the process does not take it; it is then asked how it ended."""
        outcome = self.conversation.send(data, self.deadline_s)
        if outcome is None:
            return True
        if isinstance(outcome, TimedOut):
            self.hear(wait_s=0.0)  # one that floods us instead of reading has said so by now
            if self.alive or self.seen["outcome"] == "hung":
                self.end("hung", exit=f"took no input for {self.deadline_s:g} s")
        else:
            self.hear()  # what it managed to say before it died names the stage
        return False

    def expect(self, kind: type[Ended]) -> Ended | None:
        """The answer that ends a request; None where the worker failed, or answered another question."""
        answer = self.hear()
        if answer is None or isinstance(answer, kind):
            return answer
        self.end("garbage", error=f"{type(answer).__name__} where {kind.__name__} was to be said")
        return None

    def hear(self, wait_s: float | None = None) -> facemesh.Answer | None:
        """The next answer that ends a request; announcements on the way are noted."""
        while self.alive:
            line = self.conversation.receive_line(self.deadline_s if wait_s is None else wait_s, ANSWER_LIMIT)
            if isinstance(line, TimedOut):
                self.end("hung", exit=f"no answer within {self.deadline_s:g} s")
            elif isinstance(line, Closed):
                self.end("died", exit=self.started.describe(line))
            elif isinstance(line, TooLong):
                self.end("garbage", error=f"a line of more than {ANSWER_LIMIT} bytes")
            else:
                answer = self.note(facemesh.parse(line, self.token))
                if answer is not None:
                    return answer
        return None

    def note(self, answer: facemesh.Answer | Unread) -> facemesh.Answer | None:
        """Take down what an answer says; the answer itself where it ends a request."""
        stage = self.seen.get("stage", "start")
        if STAGE_BEFORE.get(type(answer), stage) != stage:
            answer = Unread(reason=f"{type(answer).__name__} out of turn, at {stage}")
        match answer:
            case Unread(reason=reason):
                self.end("garbage", error=reason)
            case facemesh.Importing():
                self.seen["stage"] = "import"
            case facemesh.Creating():
                self.solutions = answer.solutions
                self.seen |= {
                    "stage": "create",
                    "pid": self.numbered(answer.inner_pid),
                    "import_s": answer.import_s,
                    "python": answer.python,
                    "mediapipe": answer.mediapipe,
                    "numpy": answer.numpy,
                    "delegate_members": answer.members,
                    "delegate_value": answer.delegate_value,
                    "inner_pid": answer.inner_pid,
                }
            case facemesh.FirstFrame(create_ms=create_ms):
                self.seen |= {"stage": "first-frame", "create_ms": create_ms}
            case facemesh.Failed():
                outcome = "import-failed" if self.seen.get("stage") == "import" else "refused"
                self.end(outcome, error_type=answer.type, error=redact(answer.error, self.env))
            case facemesh.Loaded(first_ms=first_ms):
                self.seen |= {"stage": "frames", "first_ms": first_ms}
                return answer
            case facemesh.Ran() | facemesh.Stopped():
                return answer
        return None

    def numbered(self, inner: int) -> int | None:
        """The interpreter as this machine numbers it."""
        pid = self.started.pid()
        return pid if self.started.box is not None else outside.interpreter(pid, inner)

    def end(self, outcome: str, **facts: str) -> None:
        """The worker is of no more use; a process that still runs is killed."""
        self.seen |= {"outcome": outcome, **facts}
        if outcome in ("hung", "garbage"):
            self.started.kill()


def start_worker(
    python: Sequence[str], delegate: str, env: Mapping[str, str], deadline_s: float, api: str = "tasks"
) -> Worker:
    """Start an isolated interpreter that waits for the payload. `python` is the argv that starts it."""
    started = inside.start(python, talkative(env))
    return Worker(delegate=delegate, started=started, deadline_s=deadline_s, env=env, api=api)


def talkative(env: Mapping[str, str]) -> dict[str, str]:
    """The user's environment with MediaPipe's native log switched on, whatever the user silences."""
    kept = {name: value for name, value in env.items() if name not in nativelog.SILENCERS}
    asked = [env["GLOG_vmodule"], nativelog.VMODULE] if env.get("GLOG_vmodule") else []
    # Ours at both ends, because versions differ in which of two patterns for the same file wins.
    return kept | {"GLOG_vmodule": ",".join([nativelog.VMODULE, *asked])}


def encode(request: Mapping[str, Any]) -> bytes:
    """One request line."""
    return json.dumps(request).encode() + b"\n"
