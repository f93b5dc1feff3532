"""`envcheck lint`: lines of source, Dockerfiles and compose files that keep FaceMesh off the GPU."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envcheck.cli.app import PATH, argument, command, write
from envcheck.errors import MET, UNMET, NothingSelectedError, UsageError

if TYPE_CHECKING:
    from envcheck.lint import Finding

FORMATS = ("text", "json", "sarif")
SKIPPED = frozenset(("__pycache__", "node_modules", "site-packages", "build", "dist"))
STANDARD_INPUT = "-"
MOST_BESIDE = 16 << 20
MOST_SOURCE = 4 << 20
MOST_NOTEBOOK = 256 << 20
"""In bytes. A syntax tree takes 300 times the space of its text; the pictures of a notebook are not parsed."""
EPILOG = "Exit codes: 0 nothing found, or remarks only; 1 findings; 2 wrong use, or no such file; 3 no file to read."


@command(epilog=EPILOG)
@argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="FILE...",
    about="Python files, notebooks, Dockerfiles, compose files, scripts, folders, or - for standard input.",
)
@click.option("--format", "form", default="text", metavar="FORMAT", help="text, json or sarif.")
@click.option("--select", metavar="CODES", help="Only these codes: SRC804,SRC81. A part of a code selects all below.")
@click.option("--ignore", metavar="CODES", help="Not these codes.")
@click.option("--mediapipe", metavar="VERSION", help="The MediaPipe version that the code is for, such as 0.10.21.")
@click.option("--driver", metavar="VERSION", help="The NVIDIA driver that images will meet, such as 570 or 570.124.06.")
@click.option("--output", type=PATH, metavar="FILE", help="Write to this file instead of standard output.")
def lint(
    paths: tuple[str, ...],
    form: str,
    select: str | None,
    ignore: str | None,
    mediapipe: str | None,
    driver: str | None,
    output: Path | None,
) -> int:
    """Name lines that keep FaceMesh off the GPU, with the way out. Remarks alone leave the exit code 0."""
    from envcheck.lint import Level

    gc.disable()  # a tree of a million nodes holds no cycles; looking for them takes a third of the time
    if form not in FORMATS:
        raise UsageError(f"--format {form!r} is not one of {', '.join(FORMATS)}")
    codes = chosen(select, ignore)
    version = numbers(mediapipe)
    expected = driver_version(driver)
    files = list(dict.fromkeys(expanded(paths)))
    if not files:
        raise NothingSelectedError(
            f"no Python file, notebook, Dockerfile, compose file or script in {', '.join(paths)}",
            remedy="Name files, or folders that hold some.",
        )
    findings = [finding for file in files for finding in linted(file, codes, version, expected)]
    show(rendered(form, findings, len(files)), output)
    return UNMET if any(finding.level is not Level.NOTE for finding in findings) else MET


def chosen(select: str | None, ignore: str | None) -> frozenset[str]:
    """The codes asked for: all, or those selected, less those ignored."""
    from envcheck.lint import BY_CODE

    wanted = matching("--select", select) if select is not None else frozenset(BY_CODE)
    left = wanted - (matching("--ignore", ignore) if ignore is not None else frozenset())
    if not left:
        raise NothingSelectedError(
            "--ignore takes away every code that is selected: there is nothing to look for",
            remedy="Select or ignore fewer codes.",
        )
    return left


def matching(option: str, text: str) -> frozenset[str]:
    """The codes that a list of codes and beginnings of codes names."""
    from envcheck.lint import BY_CODE

    found: set[str] = set()
    for part in (part.strip().upper() for part in text.split(",")):
        codes = {code for code in BY_CODE if part and code.startswith(part)}
        if not codes:
            raise UsageError(f"{option} {part!r} is no code of lint", remedy=f"Codes: {', '.join(BY_CODE)}")
        found |= codes
    return frozenset(found)


def numbers(version: str | None) -> tuple[int, ...] | None:
    """A version as numbers; a pre-release counts as its release."""
    if version is None:
        return None
    found = re.fullmatch(r"v?(\d+(?:\.\d+){0,3})(?:\.?[a-z].*|[+-].*)?", version.strip())
    if found is None:
        raise UsageError(f"--mediapipe {version!r} is no version", remedy="Write one such as 0.10.21 or 1.2.2")
    return tuple(int(number) for number in found[1].split("."))


def driver_version(driver: str | None) -> str:
    """A driver, or its branch, as it is written; "" for none."""
    if driver is None:
        return ""
    if re.fullmatch(r"\d{3,4}(?:\.\d{1,4}){0,3}", driver.strip(), re.ASCII) is None:
        raise UsageError(f"--driver {driver!r} is no NVIDIA driver", remedy="Write one such as 570 or 570.124.06")
    return driver.strip()


def expanded(paths: Sequence[str]) -> Iterator[str]:
    """The files to read: those named, whatever they are called, and what folders hold."""
    for path in paths:
        if path == STANDARD_INPUT:
            yield path
        elif not path or not is_there(Path(path)):
            raise UsageError(
                f"there is no {path or 'file without a name'}", remedy="Name files, folders, or - for standard input."
            )
        else:
            yield from below(path) if is_folder(Path(path)) else (path,)


def is_there(path: Path) -> bool:
    """Whether a path names something, or something that may not be looked at: reading it will tell."""
    try:
        return path.exists()
    except OSError:
        return True


def is_folder(path: Path) -> bool:
    """Whether a path names a folder that may be looked at."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_environment(folder: Path) -> bool:
    """Whether a folder is a virtual environment."""
    try:
        return (folder / "pyvenv.cfg").exists()
    except OSError:
        return False


def below(folder: str) -> Iterator[str]:
    """What can be read below a folder, sorted; hidden folders and virtual environments are left out."""
    closed: list[str] = []
    for home, folders, files in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        folders[:] = sorted(f for f in folders if is_read(Path(home, f)))
        yield from (str(Path(home, name)) for name in sorted(files) if is_ours(Path(home, name)))
    yield from closed  # what could not be listed is told when it cannot be read


def is_ours(file: Path) -> bool:
    """Whether a file is of a kind that lint reads. YAML tells by its content; pipes and sockets are left alone."""
    from envcheck.lint.kinds import is_yaml_of_containers, kind_of_name

    kind = kind_of_name(file.name)
    if kind is None:
        return False
    try:
        if file.exists() and not file.is_file():
            return False
        return kind != "" or is_yaml_of_containers(contents(file, MOST_SOURCE))
    except OSError:
        return kind != ""


def is_read(folder: Path) -> bool:
    """Whether a folder holds source of one's own."""
    return not (folder.name.startswith(".") or folder.name in SKIPPED or is_environment(folder))


def linted(path: str, codes: frozenset[str], version: tuple[int, ...] | None, driver: str) -> list[Finding]:
    """The findings of one file. One that cannot be read is a finding, so that it hides no other."""
    from envcheck.lint import Finding, Level
    from envcheck.lint import lint as findings_of

    most = MOST_NOTEBOOK if path.endswith(".ipynb") else MOST_SOURCE
    try:
        data = standard_input(most) if path == STANDARD_INPUT else contents(Path(path), most)
    except OSError as error:
        return [Finding(path=path, code="SRC800", level=Level.ERROR, message=f"cannot be read: {error.strerror}")]
    if len(data) > most:
        words = f"is larger than {most >> 20} MiB: it was not read"
        return [Finding(path=path, code="SRC800", level=Level.ERROR, message=words)]
    folder = Path() if path == STANDARD_INPUT else Path(path).parent
    return findings_of(path, data, codes=codes, version=version, driver=driver, beside=partial(beside, folder))


def beside(folder: Path, name: str) -> bytes | None:
    """A file by its path from a folder; None where there is none that can be read, or where it is huge."""
    try:
        path = folder / name
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MOST_BESIDE else None
    except (OSError, ValueError):
        return None


def contents(file: Path, most: int) -> bytes:
    """All of a file, or one byte more than `most`."""
    with file.open("rb") as stream:
        return stream.read(most + 1)


def standard_input(most: int) -> bytes:
    """All of standard input, or one byte more than `most`."""
    if sys.stdin is None:
        raise UsageError("standard input is closed", remedy="Pipe a file into it, or name the file.")
    return sys.stdin.buffer.read(most + 1)


def rendered(form: str, findings: list[Finding], files: int) -> list[str]:
    """The report in one of the formats."""
    from envcheck.report import lint as report
    from envcheck.report import sarif

    if form == "sarif":
        return [sarif.render(findings)]
    return [report.as_json(findings, files)] if form == "json" else list(report.text(findings, files))


def show(lines: list[str], output: Path | None) -> None:
    """To standard output, or to a file."""
    if output is None:
        write(lines)
        return
    text = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    try:
        output.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from None
