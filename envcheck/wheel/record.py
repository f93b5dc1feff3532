"""What an audit found. `Seen` is a value with its witness; `Unread` is why nobody could look."""

from __future__ import annotations

from typing import Generic, TypeVar

from envcheck.record import Record, Unread

SCHEMA = "envcheck.wheel/1"

PLATFORMS = ("linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64", "windows-x86_64", "windows-arm64")
"""The platforms that MediaPipe has wheels for, as the compatibility tables name them."""

T = TypeVar("T")


class Seen(Record, Generic[T], frozen=True, tag_field="kind", tag="seen"):
    """A fact and its witness: the member of the archive, and the bytes, symbol, or line in it.

    Of what is not there, the witness names where it was looked for.
    """

    value: T
    witness: str


class Origin(Record, frozen=True):
    """What was read. `form`: wheel, folder (an installed package) or library.

    `sha256` is of the whole file. `checked` is True where it was computed from the bytes, and fits what the package
    index promised if an index was asked; False where only parts were fetched, so that it is the index's word.
    `fetched` counts the bytes that came over the network.
    """

    name: str
    form: str
    size: int | Unread
    sha256: str | Unread
    checked: bool = False
    fetched: int | None = None


class Metadata(Record, frozen=True, tag_field="kind", tag="metadata"):
    """What the installer reads. `tags` as the file name gives them, else the WHEEL file.

    `glibc` is the oldest C library that the tags allow; `oldest_python` the oldest that the classifiers name, which
    installers do not read.
    """

    name: str
    version: str
    requires_python: Seen[str]
    oldest_python: Seen[str]
    requires: Seen[tuple[str, ...]]
    tags: Seen[tuple[str, ...]] | Unread
    platforms: tuple[str, ...] = ()
    glibc: str | None = None


class Native(Record, frozen=True, tag_field="kind", tag="native"):
    """The native library that holds the calculators.

    `container`: elf, mach-o or pe; `machine` such as x86_64 (several in a universal Mach-O file); `interface`: bindings
    (a Python extension) or c-library. `gpu`: gl, metal or none. `gl`: bundled, system or none; `gl_needs` are the
    system's GL libraries in the loader's order. `software_gl`: accepted or refused. `opencl`: compiled-out, loader (it
    could load libOpenCL.so) or none. `cuda` are libraries of CUDA that it needs or could load by name. `kernels` are
    the processor features that it has CPU kernels for.
    """

    member: str
    size: int
    container: str
    machine: tuple[str, ...]
    interface: str
    gpu: Seen[str] | Unread
    gl_path: Seen[tuple[str, ...]]
    needed: Seen[tuple[str, ...]] | Unread
    gl: Seen[str] | Unread
    gl_needs: tuple[str, ...] | Unread
    software_gl: Seen[str] | Unread
    vmodule: Seen[bool]
    log_callback: Seen[bool]
    telemetry: Seen[tuple[str, ...]]
    cuda: Seen[tuple[str, ...]]
    opencl: Seen[str]
    plugins: Seen[tuple[str, ...]]
    glibc: Seen[str] | Unread
    glibcxx: Seen[str] | Unread
    kernels: Seen[tuple[str, ...]] | Unread


class Code(Record, frozen=True, tag_field="kind", tag="code"):
    """The Python side. `api`: solutions (beside tasks) or tasks. `delegate`: passed or ignored.

    `guard` are the systems on which Python itself lets delegate=GPU through; empty where it does not ask.
    """

    api: Seen[str]
    solutions: Seen[tuple[str, ...]]
    delegate: Seen[str] | Unread
    members: Seen[dict[str, int]] | Unread
    guard: Seen[tuple[str, ...]] | Unread
    certificates: Seen[bool] | Unread


class Contents(Record, frozen=True, tag_field="kind", tag="contents"):
    """What else is in it. `legacy_graph`: cpu, gpu, or none: the graph that mp.solutions' FaceMesh would load."""

    models: Seen[tuple[str, ...]]
    legacy_graph: Seen[str]
    bundled: Seen[tuple[str, ...]]


class Audited(Record, frozen=True):
    """The whole audit. `gpu` is one word: yes, no, ignored or unknown; `says` is the sentence, `so` the consequences.

    A bare library has no `code`, `metadata` and `contents`.
    """

    schema: str
    gpu: str
    says: str
    so: tuple[str, ...]
    origin: Origin
    native: Native
    code: Code | Unread
    metadata: Metadata | Unread
    contents: Contents | Unread
