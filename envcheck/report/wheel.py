"""An audit of a wheel as text: the sentence on top, then each fact with its witness."""

from __future__ import annotations

import textwrap
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from envcheck.record import Unread
from envcheck.report.plain import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envcheck.wheel.record import Audited, Code, Contents, Metadata, Native, Origin, Seen

_NAME_WIDTH = 14
_NARROWEST = 60
_SHOWN_ITEMS = 12

Line = tuple[str, str, str]
"""The name of a fact, its value, and its witness."""


def render(found: Audited, *, width: int = 100) -> str:
    """The audit as text of at most `width` columns."""
    width = max(width, _NARROWEST)
    head = [*_wrapped(found.says, width, ""), *(line for so in found.so for line in _wrapped(so, width, "  - "))]
    facts = [line for fact in _facts(found) for line in _fact(_shortened(fact, found.native.member), width)]
    return "\n".join((_title(found), *head, "", *facts)) + "\n"


def _title(found: Audited) -> str:
    name = found.origin.name if found.origin.form != "library" else found.native.member
    version = "" if isinstance(found.metadata, Unread) else f"{found.metadata.name} {found.metadata.version}  "
    return visible(f"{version}{name}")


def _facts(found: Audited) -> Iterator[Line]:
    yield from _of_native(found.native)
    if not isinstance(found.code, Unread):
        yield from _of_code(found.code)
    if not isinstance(found.contents, Unread):
        yield from _of_contents(found.contents)
    if not isinstance(found.metadata, Unread):
        yield from _of_metadata(found.metadata)
    for name, part in (("Python", found.code), ("contents", found.contents), ("metadata", found.metadata)):
        if isinstance(part, Unread):
            yield name, "not read", part.reason
    yield from _of_origin(found.origin)


def _shortened(fact: Line, member: str) -> Line:
    """The library is named in full once; afterwards by its file name."""
    name, value, witness = fact
    return name, value, witness if witness == member else witness.replace(member, PurePosixPath(member).name)


def _of_native(native: Native) -> Iterator[Line]:
    machine = ", ".join(native.machine)
    yield "library", f"{native.container} {machine}, {_bytes(native.size)}", native.member
    yield _line("GPU code", native.gpu, {"gl": "OpenGL ES", "metal": "Metal", "none": "none"})
    yield _line("GPU path", native.gl_path)
    yield _line("GL libraries", native.gl, {"system": "the system's", "bundled": "in the wheel", "none": "none"})
    yield _line("needed", native.needed)
    yield _line("software GL", native.software_gl)
    yield _line("CUDA", native.cuda)
    yield _line("OpenCL", native.opencl, {"compiled-out": "compiled out", "loader": "could load libOpenCL.so"})
    yield _line("plug-ins", native.plugins)
    yield _line("CPU kernels", native.kernels)
    yield _line("telemetry", native.telemetry)
    yield _line("GLOG_vmodule", native.vmodule)
    yield _line("log callback", native.log_callback)
    yield _line("needs glibc", native.glibc)
    yield _line("needs GLIBCXX", native.glibcxx)


def _of_code(code: Code) -> Iterator[Line]:
    yield _line("delegate=GPU", code.delegate)
    yield _line("Delegate", code.members)
    yield _line("only on", code.guard, {"()": "any system"})
    yield _line("mp.solutions", code.solutions)
    yield _line("certifi", code.certificates)


def _of_contents(contents: Contents) -> Iterator[Line]:
    yield _line("FaceMesh graph", contents.legacy_graph, {"cpu": "CPU only", "gpu": "GPU too", "none": "none"})
    yield "models", str(len(contents.models.value) or "none"), _files(contents.models)
    yield _line("bundled", contents.bundled)


def _files(models: Seen[tuple[str, ...]]) -> str:
    return ", ".join(PurePosixPath(name).name for name in models.value) or models.witness


def _of_metadata(metadata: Metadata) -> Iterator[Line]:
    yield _line("tags", metadata.tags)
    yield "glibc of tag", metadata.glibc or "none", ""
    yield _line("Python", metadata.requires_python, {"": "installs on any"})
    yield _line("oldest Python", metadata.oldest_python, {"": "not told"})
    yield _line("requires", metadata.requires)


def _of_origin(origin: Origin) -> Iterator[Line]:
    if not isinstance(origin.size, Unread):
        fetched = "" if origin.fetched is None else f"{_bytes(origin.fetched)} fetched"
        yield "size", _bytes(origin.size), fetched
    if not isinstance(origin.sha256, Unread):
        yield "sha256", origin.sha256, "" if origin.checked else "as the index says; only parts were fetched"


def _line(name: str, fact: Seen[Any] | Unread, words: dict[str, str] | None = None) -> Line:
    if isinstance(fact, Unread):
        return name, "not seen", fact.reason
    return name, (words or {}).get(str(fact.value), _value(fact.value)), fact.witness


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}={number}" for name, number in value.items())
    if isinstance(value, tuple):
        more = f", and {len(value) - _SHOWN_ITEMS} more" if len(value) > _SHOWN_ITEMS else ""
        return ", ".join(map(str, value[:_SHOWN_ITEMS])) + more or "none"
    return str(value) or "none"


def _bytes(count: int) -> str:
    return f"{count:,} bytes"


def _fact(fact: Line, width: int) -> Iterator[str]:
    name, value, witness = fact
    margin = " " * (_NAME_WIDTH + 2)
    yield from _wrapped(value, width, f"{name:<{_NAME_WIDTH}}  ", margin)
    if witness:
        yield from _wrapped(f"({witness})", width, margin)


def _wrapped(text: str, width: int, first: str, rest: str | None = None) -> list[str]:
    hanging = " " * len(first) if rest is None else rest
    found = textwrap.wrap(visible(text), width, initial_indent=first, subsequent_indent=hanging, break_on_hyphens=False)
    return found or [first.rstrip()]
