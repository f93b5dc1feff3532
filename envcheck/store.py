"""The results folder: `results.json`, `evidence/<cell>.json`, reports; written whole or not at all, read with distrust.

`results.json` is the contract with other programs: indented by two, keys in a fixed order. It is written last, so that
whatever it names is there. A folder holds one run: what the run before wrote and this one did not is removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import signal
import stat
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from envcheck.errors import EnvcheckError, UsageError
from envcheck.model import Evidence, Record, Results, Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

RESULTS = "results.json"
EVIDENCE = "evidence"
LOGS = "logs"
REPORTS = ("junit.xml", "report.md", "report.html", "proofs.json", "evidence.sha256", "evidence.sha256.hmac")
"""Files that describe one run; an old one beside new results would be a lie."""

WHERE_EVIDENCE_IS = "Name a folder that `envcheck validate --out` wrote, its evidence folder, or one evidence file."

MAX_BYTES = 64 * 1024 * 1024
"""A larger file is no evidence: a cell with the longest log and a minute of blocks takes less than 2 MB."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
SHORTEST_MS, LONGEST_MS = 1e-6, 86_400e3
LONGEST_VERSION = 200
"""Characters: a local version with its commit has fifty."""
MOST_COUNTED = 1 << 64
LEAST_CONFIDENCE = 0.5
"""The least that matrix.yaml takes: below it an interval says less than a coin."""
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,149}")
USER_CAN_MEND = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)
"""Errors of a folder that was badly chosen; others (disk full, I/O error) happen to a good one."""

Document = TypeVar("Document", bound=Record)


# --- text -------------------------------------------------------------------------------------------------------


def encode(results: Results) -> str:
    """The text of `results.json`."""
    compact = msgspec.json.encode(results, order="deterministic")
    return msgspec.json.format(compact, indent=2).decode() + "\n"


def encode_evidence(evidence: Evidence) -> str:
    """The text of an evidence file: one line per fact, rows of numbers on one line."""
    return layout(msgspec.to_builtins(evidence, order="deterministic"), "") + "\n"


def layout(value: Any, indent: str) -> str:
    """JSON of `value`, indented by two, where lists without strings and objects stay on one line."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        rows = [f"{deeper}{inline(key)}: {layout(part, deeper)}" for key, part in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and not is_numeric(value):
        rows = [f"{deeper}{layout(part, deeper)}" for part in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return inline(value)


def is_numeric(value: Any) -> bool:
    """True for numbers and for lists, at any depth, that hold nothing else."""
    if isinstance(value, (list, tuple)):
        return all(is_numeric(part) for part in value)
    return isinstance(value, (int, float))


def inline(value: Any) -> str:
    """JSON of `value` on one line."""
    return msgspec.json.encode(value).decode()


def evidence_path(cell_id: str) -> str:
    """Where a cell's evidence stands, relative to results.json."""
    return f"{EVIDENCE}/{evidence_name(cell_id)}"


def log_path(cell_id: str) -> str:
    """Where a cell's logs stand, relative to results.json."""
    return f"{LOGS}/{evidence_name(cell_id).removesuffix('.json')}.log"


def evidence_name(cell_id: str) -> str:
    """A file name for a cell, the same on every run: the id itself where it is safe as a name."""
    if SAFE_NAME.fullmatch(cell_id):
        return f"{cell_id}.json"
    readable = re.sub(r"[^A-Za-z0-9._+-]", "_", cell_id)[:100].lstrip("._-+") or "cell"
    return f"{readable}-{hashlib.sha256(cell_id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}.json"


# --- writing ----------------------------------------------------------------------------------------------------


def check_writable(out: Path) -> None:
    """Raise now, before anything runs, what would otherwise be found out after the last cell."""
    with explained(out):
        (out / EVIDENCE).mkdir(parents=True, exist_ok=True)
        for folder in (out, out / EVIDENCE):
            stage(folder / "probe", b"\n").unlink()
    if (out / RESULTS).is_dir():
        raise UsageError(f"{out / RESULTS} is a folder; the results of the run go there", remedy="Name another --out.")


def publish(out: Path, results: Results, evidence: Sequence[Evidence], extra: Mapping[str, str]) -> None:
    """Write a run's files into `out`: evidence, the texts in `extra` by their relative names, then `results.json`.

    Everything is first written under temporary names, so that a full disk leaves the results of the run before as they
    were. Raises UsageError where `out` cannot be written and EnvcheckError where the disk fails.
    """
    texts = texts_of(results, evidence, extra)
    staged: list[tuple[Path, Path]] = []
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
        with alone_in(out):
            old = written_before(out) - set(texts)
            try:
                for name, text in texts.items():
                    (out / name).parent.mkdir(parents=True, exist_ok=True)
                    if (out / name).is_dir():  # would stop the renames half-way
                        raise IsADirectoryError(errno.EISDIR, "a folder stands in the place of a file", str(out / name))
                    staged.append((stage(out / name, text.encode("utf-8", "backslashreplace")), out / name))
                commit(staged)
            finally:
                discard(temporary for temporary, _ in staged)
            discard(out / name for name in old)


def texts_of(results: Results, evidence: Sequence[Evidence], extra: Mapping[str, str]) -> dict[str, str]:
    """Every file of a run by its relative name, in the order of writing. Two cells with one id are an error."""
    texts = {evidence_path(one.cell.id): encode_evidence(one) for one in evidence}
    if len(texts) < len(evidence):
        raise EnvcheckError("two cells have the same id; one would overwrite the other")
    outside = [name for name in extra if not is_inside(name)]
    if outside:
        raise EnvcheckError(f"{outside[0]!r} is no name inside the results folder")
    return texts | dict(extra) | {RESULTS: encode(results)}


def is_inside(name: str) -> bool:
    """True for a relative POSIX path that does not climb."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def stage(target: Path, data: bytes) -> Path:
    """Write `data` under a temporary name beside `target`, down to the disk; the temporary name."""
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        discard((temporary,))
        raise
    return temporary


def commit(staged: Sequence[tuple[Path, Path]]) -> None:
    """Rename all. Ctrl-C is obeyed before the first or after the last, never between."""
    with uninterrupted():
        for temporary, target in staged:
            temporary.replace(target)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM for the few milliseconds inside; then let the first one have its way."""
    if threading.current_thread() is not threading.main_thread():  # signal handlers belong to the main thread
        yield
        return
    held: list[int] = []
    before = {number: signal.signal(number, lambda caught, _: held.append(caught)) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if held:
        signal.raise_signal(held[0])


def discard(paths: Iterable[Path]) -> None:
    """Remove files; what is gone or cannot be removed is left."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def written_before(out: Path) -> set[str]:
    """What the run before wrote here, by relative name; empty where its results cannot be read."""
    found = {name for name in REPORTS if (out / name).is_file()}
    try:
        before = read_document(out / RESULTS, Results)
    except UsageError:
        return found
    return found | {path(cell.id) for cell in before.cells for path in (evidence_path, log_path)}


@contextmanager
def explained(out: Path) -> Iterator[None]:
    """Turn errors of the file system into ours, with what to do."""
    try:
        yield
    except OSError as error:
        what = f"cannot write the results to {out}: {error.strerror or error}"
        if error.filename and Path(str(error.filename)) != out:
            what += f" ({error.filename})"
        if error.errno in USER_CAN_MEND:
            raise UsageError(what, remedy="Name a folder that can be written: --out DIR") from error
        remedy = f"Free space there, or name another folder: --out DIR. Earlier results in {out} are untouched."
        raise EnvcheckError(what, remedy=remedy) from error


if sys.platform == "win32":

    @contextmanager
    def alone_in(folder: Path) -> Iterator[None]:  # noqa: ARG001 - the same signature as below
        """No lock on Windows."""
        yield

else:
    import fcntl

    @contextmanager
    def alone_in(folder: Path) -> Iterator[None]:
        """Two runs that publish into one folder take turns, so that its files belong to one of them."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


# --- reading ----------------------------------------------------------------------------------------------------


def load_evidence(path: Path) -> tuple[Evidence, ...]:
    """The evidence in an `--out` folder, a folder of evidence files, or one file.

    Raises UsageError naming file and reason where something is missing, damaged, of another schema or impossible, where
    two files speak of the same cell, and where there is no evidence at all.
    """
    loaded: dict[str, Path] = {}
    evidence = []
    for file, cell_id in evidence_files(path):
        one = read_document(file, Evidence)
        if wrong := implausible(one):
            raise UsageError(f"{file}: {wrong}")
        if cell_id not in (None, one.cell.id):
            raise UsageError(f"{file}: evidence of the cell {one.cell.id}, named by {RESULTS} for {cell_id}")
        if one.cell.id in loaded:
            raise UsageError(f"{file} and {loaded[one.cell.id]} both hold evidence of the cell {one.cell.id}")
        loaded[one.cell.id] = file
        evidence.append(one)
    return tuple(evidence)


def evidence_files(path: Path) -> list[tuple[Path, str | None]]:
    """The files to read: the one given, those that `results.json` names, or every `*.json` of a folder, sorted.

    Beside each the cell that `results.json` says it is of.
    """
    try:
        if not path.is_dir():
            return [(path, None)]
        if (path / RESULTS).exists():
            return named_files(path)
        folder = path / EVIDENCE if (path / EVIDENCE).is_dir() else path
        files = sorted(file for file in folder.iterdir() if file.suffix == ".json" and not file.name.startswith("."))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {reason_of(error)}") from error
    if not files:
        raise UsageError(f"{path}: no {RESULTS} and no evidence file in this folder", remedy=WHERE_EVIDENCE_IS)
    return [(file, None) for file in files]


def implausible(evidence: Evidence) -> str:
    """What no worker can have seen and no arithmetic can use, in a few words; empty where all is well."""
    gate = evidence.gate
    workers = tuple(one for run in evidence.every_run for one in (run.cpu, run.gpu, run.legacy) if one)
    if not LEAST_CONFIDENCE <= gate.confidence <= (evidence.confidence_used or gate.confidence) < 1:
        return f"a confidence is not between {LEAST_CONFIDENCE} and 1, or the one used is below the gate's"
    if gate.min_speedup <= 0:
        return "min_speedup is not above 0"
    times = (time for worker in workers for block in worker.blocks for time in block.times_ms)
    if not all(time == 0 or SHORTEST_MS <= time <= LONGEST_MS for time in times):
        return "the time of a frame is negative, below a nanosecond or above a day"
    if any(block.faces not in range(len(block.times_ms) + 1) for worker in workers for block in worker.blocks):
        return "a face was found in more frames than there were"
    versions = (text for worker in workers for text in (worker.python, worker.mediapipe))
    if any(len(text or "") > LONGEST_VERSION for text in versions) or beyond(msgspec.to_builtins(evidence)):
        return "a number has more digits than any counter"
    if any(len(frame.points) == 1 for worker in workers for frame in worker.landmarks):
        return "a face has a single landmark"
    return ""


def beyond(value: Any) -> bool:
    """True where some whole number in a document is larger than any that a machine counts to."""
    if isinstance(value, dict):
        return any(map(beyond, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(beyond, value))
    return isinstance(value, int) and abs(value) >= MOST_COUNTED


def named_files(out: Path) -> list[tuple[Path, str | None]]:
    """The evidence that `results.json` names, in its order."""
    results = read_document(out / RESULTS, Results)
    if not results.cells:
        raise UsageError(f"{out / RESULTS}: no cell in it")
    for cell in results.cells:
        if cell.evidence is None or not is_inside(cell.evidence):
            raise UsageError(f"{out / RESULTS}: no evidence file inside this folder is named for the cell {cell.id}")
    return [(out / cell.evidence, cell.id) for cell in results.cells if cell.evidence]


def shard_in(folder: Path) -> Shard | None:
    """The part of a matrix that a results folder holds; None where it is no part, or is no such folder."""
    path = folder / RESULTS
    return read_document(path, Results).shard if path.is_file() else None


def read_document(path: Path, kind: type[Document]) -> Document:
    """The record in a JSON file, or UsageError naming the file and what is wrong."""
    return decoded(read_limited(path), path, kind)


def decoded(data: bytes, path: Path, kind: type[Document]) -> Document:
    """The record in the content of a file, as `read_document` has it."""
    if not data.strip():
        raise UsageError(f"{path}: the file is empty", remedy=WHERE_EVIDENCE_IS)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: not what {kind.__struct_config__.tag} should be: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON, or cut short: {error}") from error


def read_limited(path: Path, remedy: str = WHERE_EVIDENCE_IS) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES; pipes and devices are not opened.

    `remedy`: what to name instead, for whoever named something else.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path}: not a regular file", remedy=remedy)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {reason_of(error)}", remedy=remedy) from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES // 2**20} MiB, which nothing of envcheck's is", remedy=remedy)
    return data


def reason_of(error: OSError | ValueError) -> str:
    """A few words for an error of the file system; ValueError comes from a NUL byte in a path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
