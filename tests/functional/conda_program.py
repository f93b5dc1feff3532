"""Stands for micromamba: takes its arguments and its variables, and does the work with py-rattler."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import rattler
from rattler.exceptions import SolverError
from rattler.explicit_environment import ExplicitEnvironmentSpec
from rattler.package import BuildString


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["create"])
    parser.add_argument("--yes", action="store_true", required=True)
    parser.add_argument("--override-channels", action="store_true")
    parser.add_argument("--channel", action="append", default=[])
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--file")
    parser.add_argument("specs", nargs="*")
    asked = parser.parse_intermixed_args()
    try:
        asyncio.run(create(asked))
    except SolverError as error:
        sys.stderr.write(f"error    libmamba Could not solve for environment specs\n    {error}\n")
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


async def create(asked: argparse.Namespace) -> None:
    records = await (listed(asked.file) if asked.file else solved(asked))
    await rattler.install(records, target_prefix=asked.prefix, show_progress=False)


async def solved(asked: argparse.Namespace) -> list[Any]:
    cuda = os.environ["CONDA_OVERRIDE_CUDA"]
    given = [virtual("__cuda", cuda)] if cuda else []
    return list(
        await rattler.solve(
            asked.channel,
            asked.specs,
            platforms=[rattler.Subdir(os.environ["CONDA_SUBDIR"]), rattler.Subdir("noarch")],
            virtual_packages=[*given, virtual("__glibc", os.environ["CONDA_OVERRIDE_GLIBC"])],
        )
    )


def virtual(name: str, version: str) -> Any:
    return rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), BuildString("0"))


async def listed(explicit: str) -> list[Any]:
    spec = ExplicitEnvironmentSpec.from_path(Path(explicit))
    paths = [package.url.split("#")[0].removeprefix("file://") for package in spec.packages]
    return [await rattler.RepoDataRecord.from_package_archive(path) for path in paths]


if __name__ == "__main__":
    main()
