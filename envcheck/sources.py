"""The user's settings for package indexes, read from where uv and pip keep them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envcheck.errors import PlaceError
from envcheck.plan.indexes import ConfigFile, Sources, pip_files, read_pip, resolve_sources, uv_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def read_sources(env: Mapping[str, str], cwd: Path) -> Sources:
    """Where packages come from, by variables and by the configuration files of uv and pip, seen from `cwd`.

    Raises PlaceError for a file that cannot be read or understood.
    """
    home = Path(env.get("HOME") or Path.home())
    pip = read_pip(_existing(pip_files(env, home, Path(sys.prefix), sys.platform)), env)
    shared = [_toml(file) for file in _existing(uv_files(env, home))]
    alone = env.get("UV_CONFIG_FILE") or env.get("UV_NO_CONFIG")
    folder, project = (cwd, {}) if alone else _project_settings(cwd)
    return resolve_sources(env, pip, shared, project, folder)


def read_settings(env: Mapping[str, str], cwd: Path) -> Sources:
    """The same for whoever is not uv: what uv would read by itself is among the variables too."""
    home = Path(env.get("HOME") or Path.home())
    pip = read_pip(_existing(pip_files(env, home, Path(sys.prefix), sys.platform)), env)
    shared: dict[str, Any] = {}
    for file in _existing(uv_files(env, home)):  # the first one wins
        shared = {**_toml(file), **shared}
    alone = env.get("UV_CONFIG_FILE") or env.get("UV_NO_CONFIG")
    folder, project = (cwd, {}) if alone else _project_settings(cwd)
    return resolve_sources(env, pip, (), {**shared, **project}, folder)


def _project_settings(cwd: Path) -> tuple[Path, Mapping[str, Any]]:
    """The nearest uv.toml, or pyproject.toml with a tool.uv table, as uv itself would look for them, and its folder."""
    for folder in (cwd, *cwd.parents):
        for file in _existing([folder / "uv.toml"]):
            return folder, _toml(file)
        for file in _existing([folder / "pyproject.toml"]):
            if "tool.uv" in file.text and isinstance(table := _toml(file).get("tool", {}).get("uv"), dict):
                return folder, table
    return cwd, {}


def _existing(paths: Iterable[Path]) -> Iterator[ConfigFile]:
    return (file for path in paths if (file := _read(path)) is not None)


def _read(path: Path) -> ConfigFile | None:
    try:
        return ConfigFile(path, path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(str(path), f"cannot be read: {error}") from None


def _toml(file: ConfigFile) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(file.text)
    except tomllib.TOMLDecodeError as error:
        raise PlaceError(str(file.path), f"is no TOML: {error}") from None
