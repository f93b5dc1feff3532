"""One-shot payloads and the NVML sampler: started here, parsed by probes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType

from msgspec.structs import replace

from envcheck.cell.inside import ask
from envcheck.errors import InterruptedRunError
from envcheck.facts import Facts, Packages, TensorFlow
from envcheck.model import CudaDriver, CudaRuntime, GpuSample, Nvml, Unread
from envcheck.outcomes import TimedOut
from envcheck.payload import BOOTSTRAP, preamble
from envcheck.probes.answers import Seen, parse_answer, parse_last, parse_sample
from envcheck.probes.host import parse_devices, parse_facts
from envcheck.process import Completed, Conversation
from envcheck.redact import redact

SAMPLE_DEADLINE_S = 20.0
SAMPLE_LIMIT = 1024 * 1024
HOST_PAYLOADS = "host container libraries"


def observe_cuda(python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> CudaRuntime | Unread:
    """The CUDA runtime library of the environment of `python`."""
    line = one_shot("cuda", python, env, deadline_s)
    return line if isinstance(line, Unread) else parse_answer(line, CudaRuntime)


def observe_facts(python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> Facts | Unread:
    """What the interpreter `python` sees around itself. Where packages cannot be listed, the rest is there."""
    packages: list[Packages | Unread] = []
    beside = threading.Thread(target=lambda: packages.append(observe_packages(python, env, deadline_s)), daemon=True)
    beside.start()
    output = one_shot(HOST_PAYLOADS, python, env, deadline_s)
    beside.join()
    found = packages[0] if packages else Unread(reason="the packages probe could not be started")
    facts = output if isinstance(output, Unread) else parse_facts(output, found)
    return facts if isinstance(facts, Unread) else redacted(facts, env)


def observe_packages(python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> Packages | Unread:
    """What is installed in the interpreter `python`."""
    try:
        return packages_of(ask("packages", python, env, deadline_s), python, env, deadline_s)
    except InterruptedRunError as error:  # the main thread learns of it by itself
        return Unread(reason=error.message)
    except (OSError, RuntimeError, MemoryError) as error:  # this runs in a thread, where it would be a traceback
        return Unread(reason=f"{type(error).__name__}: {error}")


def packages_of(done: Completed, python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> Packages | Unread:
    """The packages in what the payload printed; how it ended tells what cv2 did to it."""
    found = last_answer(done, "packages", Packages)
    if isinstance(found, Packages) and isinstance(found.opencv, Unread) and not done.succeeded:
        found = replace(found, opencv=Unread(reason=f"{found.opencv.reason} ({done.describe()})"))
    return with_devices(found, python, env, deadline_s) if isinstance(found, Packages) else found


def with_devices(packages: Packages, python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> Packages:
    """The packages with the GPUs that TensorFlow sees, where it is installed."""
    tensorflow = packages.tensorflow
    if not isinstance(tensorflow, TensorFlow):
        return packages
    output = one_shot("tfdevices", python, env, deadline_s)
    gpus = output if isinstance(output, Unread) else parse_devices(output)
    return replace(packages, tensorflow=replace(tensorflow, gpus=gpus))


def observe_cuda_driver(python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> CudaDriver | Unread:
    """The CUDA driver library as `python` loads it; a cuInit that hangs is ended at the deadline."""
    return last_answer(ask("cudadriver", python, env, deadline_s), "cudadriver", CudaDriver)


def last_answer(done: Completed, payload: str, kind: type[Seen]) -> Seen | Unread:
    """The last whole answer of a payload that says what it knows before it tries what may end it."""
    if not done.started:
        return Unread(reason=done.reason)
    if not done.stdout.strip():
        return Unread(reason=f"the {payload} probe ended without an answer ({done.describe()})")
    seen = parse_last(done.stdout, kind)
    if isinstance(seen, Unread) and not done.succeeded:
        return Unread(reason=f"{seen.reason} ({done.describe()})")
    return seen


def redacted(facts: Facts, env: Mapping[str, str]) -> Facts:
    """The facts without the secrets of `env` in what is recorded of variables."""
    container = facts.container
    if not isinstance(container, Unread):
        container = replace(container, variables=cleaned(container.variables, env))
    return replace(facts, container=container, gl=replace(facts.gl, variables=cleaned(facts.gl.variables, env)))


def cleaned(variables: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Variables without secrets in their values."""
    return {name: redact(value, env) for name, value in variables.items()}


def one_shot(payload: str, python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> bytes | Unread:
    """What a payload (or several, by name) that is sent, answers and ends has printed; or why there is none."""
    done = ask(payload, python, env, deadline_s)
    if not done.started:
        return Unread(reason=done.reason)
    if done.timed_out:
        return Unread(reason=f"the {payload} probe did not answer within {deadline_s:g} s")
    if not done.stdout.strip():
        return Unread(reason=f"the {payload} probe ended without an answer ({done.describe()})")
    return done.stdout


class NvmlSampler:
    """NVML in a process of its own, asked while workers work. One that cannot be asked answers Unread."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._failed: Unread | None = None
        """Why there was no answer once. A later one could be to an earlier question, and waiting brings no more."""

    @classmethod
    def start(cls, env: Mapping[str, str]) -> NvmlSampler:
        """Start the sampler in envcheck's own interpreter, where nvidia-ml-py is."""
        conversation = Conversation.start([sys.executable, "-I", "-c", BOOTSTRAP], env=env)
        conversation.send(preamble("nvml"), SAMPLE_DEADLINE_S)
        return cls(conversation)

    def facts(self) -> Nvml | Unread:
        """Driver and GPUs."""
        line = self.ask(b'{"do": "facts"}\n')
        return line if isinstance(line, Unread) else parse_answer(line, Nvml)

    def sample(self) -> tuple[GpuSample, ...] | Unread:
        """Utilisation, memory, energy and process lists of every GPU, now."""
        line = self.ask(b'{"do": "sample"}\n')
        return line if isinstance(line, Unread) else parse_sample(line)

    def ask(self, request: bytes) -> bytes | Unread:
        """One line in, one line out."""
        if self._failed is not None:
            return self._failed
        if isinstance(self.conversation.send(request, SAMPLE_DEADLINE_S), TimedOut):
            return self._fail(f"NVML did not answer within {SAMPLE_DEADLINE_S:g} s")
        line = self.conversation.receive_line(SAMPLE_DEADLINE_S, SAMPLE_LIMIT)
        if isinstance(line, bytes):
            return line
        if isinstance(line, TimedOut):
            return self._fail(f"NVML did not answer within {SAMPLE_DEADLINE_S:g} s")
        return self._fail(f"NVML gave no answer ({line.describe()})")

    def _fail(self, reason: str) -> Unread:
        self._failed = Unread(reason=reason)
        return self._failed

    def __enter__(self) -> NvmlSampler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.conversation.kill()
