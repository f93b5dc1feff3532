"""The sentence on top, and what follows from the facts. Reads facts, never the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envcheck.record import Unread
from envcheck.wheel.record import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envcheck.wheel.record import Code, Contents, Metadata, Native

YES, NO, IGNORED, UNKNOWN = "yes", "no", "ignored", "unknown"

_API = {"gl": "OpenGL ES over EGL", "metal": "Metal"}
_SYSTEM = {"elf": "Linux", "mach-o": "Darwin", "pe": "Windows"}


def conclude(
    native: Native, code: Code | Unread, contents: Contents | Unread, metadata: Metadata | Unread
) -> tuple[str, str, tuple[str, ...]]:
    """The word, the sentence, and the consequences."""
    word, says = _verdict(native, code)
    return word, says, tuple(_consequences(native, code, contents, metadata))


def _verdict(native: Native, code: Code | Unread) -> tuple[str, str]:
    if isinstance(native.gpu, Unread):
        return UNKNOWN, f"GPU: unknown: {native.gpu.reason}"
    passed = code if isinstance(code, Unread) else code.delegate
    if isinstance(passed, Seen) and passed.value == "ignored":
        return IGNORED, f"GPU: no: delegate=GPU is accepted and ignored{_besides(native.gpu.value)}"
    if native.gpu.value == "none":
        return NO, f"GPU: no: built without GPU code{_error(code)}"
    system = _SYSTEM[native.container]
    if isinstance(code, Unread):
        return YES, f"GPU: yes, in this library: {_how(native)}; whether Python hands the delegate to it was not read"
    if isinstance(code.guard, Seen) and code.guard.value and system not in code.guard.value:
        return NO, f"GPU: no: the Python code refuses delegate=GPU on {system}"
    if isinstance(passed, Unread):
        return UNKNOWN, f"GPU: unknown: the library has GPU code ({_how(native)}), but {passed.reason}"
    return YES, f"GPU: yes, through {_how(native)}"


def _besides(gpu: str) -> str:
    if gpu == "none":
        return "; and the library was built without GPU code"
    return f"; the library has code for {_API[gpu]} that nothing can ask for"


def _error(code: Code | Unread) -> str:
    passed = not isinstance(code, Unread) and isinstance(code.delegate, Seen)
    return "; delegate=GPU ends in an error" if passed else ""


def _how(native: Native) -> str:
    kind = native.gpu.value if isinstance(native.gpu, Seen) else ""
    if kind == "metal":
        return "Metal"
    return f"{_API[kind]}; {_libraries(native)}"


def _libraries(native: Native) -> str:
    if isinstance(native.gl, Unread):
        return f"which libraries it needs was not seen: {native.gl.reason}"
    if native.gl.value == "bundled":
        return "brings libEGL and libGLESv2; needs the vendor's driver library behind them"
    if isinstance(native.gl_needs, tuple) and native.gl_needs:
        return f"needs {' and '.join(native.gl_needs)} of the system, even on the CPU"
    return "needs no GL library by name"


def _consequences(
    native: Native, code: Code | Unread, contents: Contents | Unread, metadata: Metadata | Unread
) -> Iterator[str]:
    if isinstance(native.gl_needs, tuple) and native.gl_needs:
        first = native.gl_needs[0]
        yield f"Without {first} the first task fails with OSError, with delegate=CPU too; `import mediapipe` succeeds."
    if isinstance(native.software_gl, Seen):
        refuses = native.software_gl.value == "refused"
        yield f"Software GL (llvmpipe) is {'refused' if refuses else 'accepted, and slower than the CPU'}."
    if isinstance(code, Unread):
        return
    yield from _of_code(code)
    if isinstance(contents, Unread) or contents.legacy_graph.value != "cpu":
        pass
    elif code.solutions.value:
        yield "mp.solutions FaceMesh stays on the CPU: only its CPU graph is here."
    yield from _of_versions(native, metadata)


def _of_code(code: Code) -> Iterator[str]:
    if isinstance(code.members, Seen) and code.members.value.get("GPU", 1) != 1:
        numbers = ", ".join(f"{name}={number}" for name, number in code.members.value.items())
        one = next((name for name, number in code.members.value.items() if number == 1), "nothing")
        yield f"Delegate is numbered {numbers}: the number 1 means {one} here. Name the member, never the number."
    if not code.solutions.value:
        yield "mp.solutions is not there; use mediapipe.tasks."


def _of_versions(native: Native, metadata: Metadata | Unread) -> Iterator[str]:
    if isinstance(metadata, Unread) or metadata.glibc is None or isinstance(native.glibc, Unread):
        return
    if not native.glibc.value:
        return
    tag, needed = metadata.glibc, native.glibc.value
    if [int(part) for part in needed.split(".")] > [int(part) for part in tag.split(".")]:
        yield f"The tag promises glibc {tag}, but the library needs {needed} ({native.glibc.witness})."
