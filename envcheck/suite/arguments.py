"""How the suite is started: the arguments and the environment of a pytest that listens to nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parent


def suite_argv(out: Path, junit: Path, extra_folders: Sequence[Path]) -> list[str]:
    """What follows `python -m pytest`: assert on the results in `out`, write JUnit to `junit`.

    `extra_folders` hold tests of the user. Only with them are conftest files read: theirs and those above them.
    """
    return [
        "-c",
        str(HERE / "pytest.ini"),
        f"--rootdir={HERE.parents[1]}",
        "-p",
        "no:cacheprovider",
        "-p",
        "envcheck",
        *([] if extra_folders else ["--noconftest"]),
        f"--envcheck-results={out}",
        f"--junit-xml={junit}",
        "--color=no",
        "--tb=short",
        "-ra",
        str(HERE / "test_claims.py"),
        *(str(folder.absolute()) for folder in extra_folders),
    ]


def suite_env(env: Mapping[str, str], extra_folders: Sequence[Path]) -> dict[str, str]:
    """`env` without what would steer pytest, such as PYTEST_ADDOPTS=--collect-only.

    Plugins of other packages are loaded only for the user's own tests.
    """
    kept = {name: value for name, value in env.items() if not name.startswith("PYTEST_")}
    alone = {} if extra_folders else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return kept | alone | {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
