"""Evidence -> one word. The first answer wins, in this order:

0. nothing came back from the machine that was to run it          -> unknown
1. the tables said it cannot work, and it was not run             -> impossible, unreachable
2. the environment could not be built, or nothing could be seen   -> broken, impossible, unknown
3. a worker died, hung or answered garbage                        -> crashed
4. the CPU run failed, or was of another cell than is named       -> broken
5. MediaPipe refused the GPU delegate                             -> refused
   (in a run of fresh processes after the first: contradictory)
6. no face was found, so the landmark model never ran             -> unknown
7. the work stayed on the CPU                                     -> silent-cpu
8. some witness speaks for hardware, another against, or one
   saw what cannot be where hardware worked                       -> contradictory
9. software rasteriser; another GPU                               -> emulated, other-gpu
10. too few witnesses speak for hardware, or a version is untold  -> unknown
11. the CUDA that the cell names is not there                     -> broken
12. landmarks differ, or do not follow the face                   -> wrong
13. the interval of the speed-up                                  -> accelerated, slower, inconclusive, unknown
"""

from __future__ import annotations

from collections.abc import Sequence

from envcheck import namesake, stats
from envcheck.judge import motion, parity
from envcheck.judge.baseline import fastest_of
from envcheck.judge.measured import bench_of
from envcheck.judge.witnesses import testify
from envcheck.judge.witnesses.timing import confirmed
from envcheck.model import Bench, Evidence, Judgement, Repeat, Says, Verdict, Witness, WorkerRun
from envcheck.reason import reason_of

Answer = tuple[Verdict, str]

KERNEL_WITNESSES = frozenset({"libraries", "devices", "nvml-process"})
"""Witnesses read from the kernel or the driver, which no string in a log can forge; each of an origin of its own."""
MIN_KERNEL_WITNESSES = 2
"""So many of them must speak for hardware before anything passes."""
AGAINST_HARDWARE = frozenset({Says.SOFTWARE, Says.OTHER_GPU, Says.CPU, Says.CONTRADICTS})

FACES_ENOUGH = 0.5
"""Where fewer of the timed frames have a face, mostly the detector was timed, and not the landmark model."""
MAX_FACES_LOST = 0.1
"""Largest share of timed frames in which only one side may have found a face."""

DEATHS = frozenset({"died", "hung", "garbage"})
BUILT = frozenset({"built", "reused", "existing"})
FAILED_BUILDS = {
    "no-wheel": Verdict.IMPOSSIBLE,
    "unsolvable": Verdict.IMPOSSIBLE,
    "no-interpreter": Verdict.BROKEN,
    "unavailable": Verdict.UNKNOWN,
    "no-engine": Verdict.UNKNOWN,
    "failed": Verdict.BROKEN,
    "no-python": Verdict.BROKEN,
    "other-architecture": Verdict.IMPOSSIBLE,
    "not-started": Verdict.BROKEN,
}


def judge(evidence: Evidence) -> Judgement:
    """The verdict, its reason, the witnesses it rests on and the measured comparison."""
    bench = bench_of(evidence)
    answer = before_running(evidence) or from_workers(evidence)
    if answer:
        refused = answer[0] is Verdict.REFUSED
        return Judgement(answer[0], answer[1], witnesses_of(evidence), bench if refused else None)
    witnesses = testify(evidence)
    verdict, because = (
        from_device(witnesses) or from_cell(evidence) or from_landmarks(evidence) or from_speed(evidence, bench)
    )
    return Judgement(verdict=verdict, because=because, witnesses=witnesses, bench=bench)


def witnesses_of(evidence: Evidence) -> tuple[Witness, ...]:
    """Statements are worth showing once the GPU worker was started."""
    return () if evidence.gpu.outcome == "not-run" else testify(evidence)


def before_running(evidence: Evidence) -> Answer | None:
    """Steps 0 to 2: what was known before a worker ran, or prevented it."""
    if evidence.lost:
        return Verdict.UNKNOWN, evidence.lost
    ran = evidence.cpu.outcome != "not-run"
    build, foresight = evidence.build, evidence.foresight
    if foresight.state == "unreachable":
        return Verdict.UNREACHABLE, foresight.because
    if not ran and build is None and foresight.state == "impossible":
        return Verdict.IMPOSSIBLE, foresight.because
    if build is not None and build.outcome not in BUILT:
        return FAILED_BUILDS.get(build.outcome, Verdict.UNKNOWN), build.because
    if not ran:
        return Verdict.UNKNOWN, "nothing was run"
    return None


def from_workers(evidence: Evidence) -> Answer | None:
    """Steps 3 to 6: how the two workers ended, and whether they had a face to work on."""
    cpu, gpu = evidence.cpu, evidence.gpu
    for worker in (cpu, gpu):
        if worker.outcome in DEATHS:
            return Verdict.CRASHED, death_of(worker)
    if cpu.outcome != "ran":
        return Verdict.BROKEN, f"FaceLandmarker does not run on the CPU here ({cpu.stage}): {reason_of(cpu)}"
    if other := namesake.another_cell(evidence):
        return Verdict.BROKEN, f"the environment is not the one that the cell names: {other}"
    if gpu.outcome != "ran":
        return without_gpu(gpu)
    if muddled := same_worker(cpu, gpu):
        return Verdict.CONTRADICTORY, muddled
    if again := from_repeats(evidence):
        return again
    if not any(landmarks.points for landmarks in cpu.landmarks):
        return Verdict.UNKNOWN, "no face was found on the CPU, so the landmark model had nothing to do"
    return None


def from_repeats(evidence: Evidence) -> Answer | None:
    """What ran once must run again: fresh processes that died, or that MediaPipe refused."""
    for number, again in enumerate(evidence.repeats, 2):
        for worker in (again.cpu, again.gpu):
            if worker.outcome in DEATHS:
                return Verdict.CRASHED, f"in run {number} {death_of(worker)}"
            if worker.outcome != "ran":
                text = f"run 1 worked, run {number} did not: {worker.outcome}"
                return Verdict.CONTRADICTORY, f"{text}, {reason_of(worker)}"
        if muddled := same_worker(again.cpu, again.gpu):
            return Verdict.CONTRADICTORY, f"in run {number} {muddled}"
    return None


def without_gpu(gpu: WorkerRun) -> Answer:
    """Why the GPU worker did not run, where the CPU worker did."""
    if gpu.outcome == "import-failed":
        return Verdict.BROKEN, f"MediaPipe could not be imported for the GPU run: {reason_of(gpu)}"
    if gpu.outcome == "refused":
        return Verdict.REFUSED, reason_of(gpu)
    return Verdict.UNKNOWN, "the GPU worker was not run"


def same_worker(cpu: WorkerRun, gpu: WorkerRun) -> str:
    """Why the two records cannot be of two workers with two delegates, or an empty text."""
    if (cpu.delegate, gpu.delegate) != ("CPU", "GPU"):
        return f"the workers were given the delegates {cpu.delegate} and {gpu.delegate}"
    if cpu.pid is not None and cpu.pid == gpu.pid:
        return f"both workers are process {cpu.pid}"
    if cpu.delegate_value is not None and cpu.delegate_value == gpu.delegate_value:
        return f"CPU and GPU are the same delegate to this MediaPipe, number {cpu.delegate_value}"
    return other_delegate(cpu) or other_delegate(gpu) or namesake.unlike_workers(cpu, gpu)


def other_delegate(worker: WorkerRun) -> str:
    """Why the number a worker was given is not its delegate's to this MediaPipe, or an empty text."""
    given, members = worker.delegate_value, worker.delegate_members
    if given == members.get(worker.delegate):
        return ""
    names = " and ".join(sorted(name for name, value in members.items() if value == given)) or "nothing"
    return f"the {worker.delegate} worker was given the delegate number {given}, which this MediaPipe calls {names}"


def death_of(worker: WorkerRun) -> str:
    """One sentence on how a worker ended."""
    ways = {"died": "ended", "hung": "did not answer in time", "garbage": "answered garbage"}
    return f"the {worker.delegate} worker {ways[worker.outcome]} at {worker.stage}" + (
        f" ({worker.exit or worker.error})" if worker.exit or worker.error else ""
    )


def from_device(witnesses: Sequence[Witness]) -> Answer | None:
    """Steps 7 to 10: which device did the work."""
    by_name = {witness.name: witness for witness in witnesses}
    stayed = stayed_on_cpu(by_name)
    if stayed:
        return Verdict.SILENT_CPU, stayed
    claims = [witness for witness in witnesses if witness.says is Says.HARDWARE]
    against = [witness for witness in witnesses if witness.says in AGAINST_HARDWARE]
    amiss = [witness for witness in against if witness.says is Says.CONTRADICTS]
    if claims and against:
        return Verdict.CONTRADICTORY, f"{sentence(claims[0])}, but {sentence((amiss or against)[0])}"
    if amiss:
        return Verdict.CONTRADICTORY, sentence(amiss[0])
    context = by_name["native-log"]
    if context.says not in (Says.SOFTWARE, Says.OTHER_GPU):
        context = by_name["gl-context"]
    if context.says is Says.SOFTWARE:
        return Verdict.EMULATED, f"the delegate ran on a software rasteriser: {context.saw}"
    if context.says is Says.OTHER_GPU:
        return Verdict.OTHER_GPU, f"the delegate ran on another device: {context.saw}"
    return too_few(by_name, claims)


def stayed_on_cpu(by_name: dict[str, Witness]) -> str:
    """Why the work is known to have stayed on the CPU, or an empty text.

    The calculators say so; or they are not named, and the worker neither logged a GL context nor mapped a GL driver.
    """
    if by_name["calculators"].says is Says.CPU:
        return f"delegate=GPU was accepted, and every model ran on the CPU: {by_name['calculators'].saw}"
    silent = by_name["calculators"].says is Says.CANNOT_KNOW and by_name["native-log"].says is Says.NOTHING
    if silent and by_name["libraries"].says is Says.CPU:
        return "delegate=GPU was accepted, but the worker made no GL context and mapped no GL driver"
    return ""


def too_few(by_name: dict[str, Witness], claims: Sequence[Witness]) -> Answer | None:
    """None where hardware is proven: a context of NVIDIA's driver, inference on GL, and the kernel's own witnesses."""
    kernel = [witness for witness in claims if witness.name in KERNEL_WITNESSES]
    if Says.HARDWARE not in (by_name["native-log"].says, by_name["gl-context"].says):
        return Verdict.UNKNOWN, f"no GL context names the GPU: {by_name['native-log'].saw}"
    if len(kernel) < MIN_KERNEL_WITNESSES:
        missing = [sentence(w) for name, w in by_name.items() if name in KERNEL_WITNESSES and w not in kernel]
        return Verdict.UNKNOWN, "too few witnesses speak for hardware: " + "; ".join(missing)
    return None


def sentence(witness: Witness) -> str:
    """A witness' statement as a clause."""
    return f"{witness.name} says {witness.says.value} ({witness.saw})"


def from_cell(evidence: Evidence) -> Answer | None:
    """The end of step 10, and step 11: whether what was proven was proven of this cell."""
    if untold := namesake.not_shown(evidence):
        return Verdict.UNKNOWN, untold
    if amiss := namesake.cuda_amiss(evidence):
        return Verdict.BROKEN, amiss
    return None


def from_landmarks(evidence: Evidence) -> Answer | None:
    """Step 12."""
    if answer := from_faces(evidence):
        return answer
    seen = parity.compare(evidence.cpu.landmarks, evidence.gpu.landmarks)
    if seen.agrees is None:
        return Verdict.UNKNOWN, parity.untold(seen)
    if seen.agrees:
        return from_motion(evidence)
    return Verdict.WRONG, parity.difference(seen)


def from_motion(evidence: Evidence) -> Answer | None:
    """Landmarks that agree with each other have to follow the face as well."""
    for run in (evidence.gpu, evidence.cpu):
        astray = motion.strays(run.landmarks, evidence.motion)
        if astray is not None and astray > motion.TOLERANCE:
            text = f"the {run.delegate} delegate's landmarks do not follow the face: off by {astray:.2f}"
            return Verdict.WRONG, f"{text} of the eye distance, above {motion.TOLERANCE}"
    return None


def from_faces(evidence: Evidence) -> Answer | None:
    """Whether the timed frames of every run are the same work."""
    return next(filter(None, map(from_faces_of, evidence.every_run)), None)


def from_faces_of(run: Repeat) -> Answer | None:
    """Whether one run's timed frames are: a side that finds no face skips the landmark model."""
    both = {block.pair for block in run.cpu.blocks} & {block.pair for block in run.gpu.blocks}
    cpu, gpu = (sum(block.faces for block in worker.blocks if block.pair in both) for worker in (run.cpu, run.gpu))
    if both and not max(cpu, gpu):
        return Verdict.UNKNOWN, "no face was found in the timed frames, so the landmark model was not timed"
    if abs(cpu - gpu) > MAX_FACES_LOST * max(cpu, gpu):
        return Verdict.WRONG, f"in the timed frames the CPU found a face {cpu} times and the GPU {gpu} times"
    frames = sum(len(block.times_ms) for block in run.cpu.blocks if block.pair in both)
    if max(cpu, gpu) < FACES_ENOUGH * frames:
        what = f"a face was found in {max(cpu, gpu)} of {frames} timed frames"
        return Verdict.UNKNOWN, f"{what}, so mostly the detector was timed"
    return None


def from_speed(evidence: Evidence, bench: Bench | None) -> Answer:
    """Step 13. Faster counts only where envcheck's own clock has seen it too."""
    if bench is None or bench.speedup is None:
        return Verdict.UNKNOWN, "the speed-up was not measured" + (" in one of the runs" if evidence.repeats else "")
    threshold, (low, high) = evidence.gate.min_speedup, bench.speedup.ci95
    text = (
        f"speed-up {bench.speedup.estimate:.2f} "
        f"({percent(evidence.gate.confidence)} interval {low:.2f} to {high:.2f}, threshold {threshold:g})"
    )
    if low <= threshold:
        return (Verdict.SLOWER if high < threshold else Verdict.INCONCLUSIVE), text
    for run in evidence.every_run:
        by_ours = confirmed(fastest_of(run), run.gpu.blocks)
        if by_ours is None:
            return Verdict.UNKNOWN, f"{text}, and envcheck's own clock was not kept"
        if by_ours <= threshold:
            return Verdict.INCONCLUSIVE, f"{text}, but {by_ours:.2f} by envcheck's own clock"
    done = 1 + len(evidence.repeats)
    if done < evidence.gate.runs and (evidence.repeats or stats.close(bench.speedup, threshold)):
        return Verdict.UNKNOWN, f"{text}, in {done} of {evidence.gate.runs} runs that were asked for"
    return Verdict.ACCELERATED, text


def percent(share: float) -> str:
    """0.95 as 95%, 0.999 as 99.9%."""
    return f"{100 * share:.6g}%"
