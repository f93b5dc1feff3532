"""What was seen of a program -> findings, the root cause first. Causes that a cell can have too keep their code."""

from __future__ import annotations

from collections.abc import Callable

from envcheck.model import Finding, Unread
from envcheck.rules import BY_CODE as RULES
from envcheck.rules.watched import BY_CODE as TEXTS
from envcheck.watch import judging
from envcheck.watch import witnesses as seen
from envcheck.watch.judging import Answer
from envcheck.watched import Place, Watched

Cause = Callable[[Watched, Answer], str | None]


def findings(watched: Watched, answer: Answer) -> tuple[Finding, ...]:
    """Why the verdict is what it is, and what to do; empty where there is nothing to mend."""
    told = ((code, cause(watched, answer)) for code, cause in CAUSES.items())
    return tuple(finding(code, saw) for code, saw in told if saw is not None)


def finding(code: str, saw: str) -> Finding:
    """A finding in the words of its page."""
    text = TEXTS[code] if code in TEXTS else RULES[code]
    return Finding(
        code=code,
        status=text.status,
        summary=f"{text.title}: {saw}",
        because=text.because,
        remedy=text.remedy,
        url=text.url,
    )


def on(place: Place) -> Cause:
    """A cause that is the verdict itself."""
    return lambda _watched, answer: answer.because if answer.place is place else None


def handed_over(watched: Watched, answer: Answer) -> str | None:
    """The command is a client of a service."""
    return (judging.handed_over(watched) or None) if answer.place is Place.UNKNOWN else None


def forbidden(watched: Watched, answer: Answer) -> str | None:
    """A process that the system does not let us look into."""
    del answer
    spot = judging.blind_spot(watched)
    return spot if "does not let" in spot else None


def too_little(watched: Watched, answer: Answer) -> str | None:
    """The run was too short, or much of it went unseen."""
    if answer.place is not Place.UNKNOWN or forbidden(watched, answer):
        return None
    return answer.because if answer.settle == judging.LONGER else None


def no_driver(watched: Watched, answer: Answer) -> str | None:
    """There is no NVIDIA driver, and the program wanted a GPU or might have."""
    gpus, module = watched.gpus, watched.kernel_driver
    if not isinstance(gpus, Unread) or answer.place not in (Place.ON_CPU, Place.ON_SOFTWARE_GL):
        return None
    if isinstance(module, Unread):
        return f"{gpus.reason}; {module.reason}"
    return None if module else f"{gpus.reason}; no NVIDIA kernel module is loaded"


def untouched(watched: Watched, answer: Answer) -> str | None:
    """On the CPU, and no GL driver anywhere."""
    if answer.place is not Place.ON_CPU or driver_loaded(watched) or seen.asked_for_gl(watched):
        return None
    return answer.because


def gave_up(watched: Watched, answer: Answer) -> str | None:
    """The log names GL calculators, and the work was done on the CPU, or may have been."""
    on_cpu = answer.place is Place.ON_CPU and seen.asked_for_gl(watched)
    if not on_cpu and (answer.place is Place.ON_GPU or not seen.mixed(watched)):
        return None
    return f"the native log names {seen.calculators(watched).saw}; {answer.because}"


def context_alone(watched: Watched, answer: Answer) -> str | None:
    """A GL driver that does nothing, or nothing that could be seen."""
    if answer.place is Place.ON_CPU and driver_loaded(watched) and not seen.asked_for_gl(watched):
        return answer.because
    loaded = any(judging.driver_says_something(process) for process in seen.subjects(watched))
    return answer.because if answer.place is Place.UNKNOWN and loaded else None


def driver_loaded(watched: Watched) -> bool:
    """True where any GL driver is mapped in a process that was asked about."""
    return any(judging.driver_says_something(process) for process in seen.subjects(watched))


def silent_log(watched: Watched, answer: Answer) -> str | None:
    """The native log was asked for and said nothing of calculators."""
    log = watched.log
    if log is None or log.calculators or answer.place is Place.ON_GPU:
        return None
    return ", ".join(log.silencers) or "no line of it was seen on standard error"


def left_behind(watched: Watched, answer: Answer) -> str | None:
    """Processes that outlive the command."""
    del answer
    return judging.left_behind(watched) or None


CAUSES: dict[str, Cause] = {
    "RES610": handed_over,
    "RES608": forbidden,
    "RES609": too_little,
    "GPU105": no_driver,
    "GPU103": on(Place.CONTRADICTORY),
    "GPU104": on(Place.ON_OTHER_GPU),
    "EGL207": on(Place.ON_SOFTWARE_GL),
    "GPU122": on(Place.CUDA_ONLY),
    "GPU123": gave_up,
    "GPU120": untouched,
    "GPU121": context_alone,
    "MPP416": silent_log,
    "RES611": left_behind,
}
"""When each code is given; the order is that of causes before consequences."""
