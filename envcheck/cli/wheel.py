"""`envcheck wheel`: what a MediaPipe wheel can do, without installing it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from envcheck.cli.app import EPILOG, argument, command, quiet_option, write
from envcheck.errors import MET, NothingSelectedError, UsageError


@command(epilog=EPILOG)
@argument(
    "what",
    metavar="VERSION|FILE",
    about="A version such as 1.2.2, or latest; a .whl; a folder that holds mediapipe; or its native library.",
)
@click.option(
    "--platform",
    metavar="PLATFORM",
    help="linux-x86_64, linux-aarch64, macos-arm64, macos-x86_64, windows-x86_64 or windows-arm64.",
)
@click.option("--python", metavar="VERSION", help="A wheel for this Python, such as 3.11.")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
@quiet_option
def wheel(what: str, platform: str | None, python: str | None, as_json: bool, quiet: bool) -> int:
    """Say what a MediaPipe wheel can do, and how it shows; nothing is installed, imported or run."""
    from envcheck.audits import audit_path, audit_version, known_platform, known_python, meant, shop_of

    known, interpreter, asked = known_platform(platform), known_python(python), meant(what)
    if isinstance(asked, Path):
        only_for_versions(platform, python)
        found = audit_path(asked)
    else:
        from envcheck.environments import cache_folder

        shop = shop_of(os.environ, cache_folder(os.environ))
        with Meter(quiet=quiet) as meter:
            found = audit_version(shop, asked, known, interpreter, meter.tick)
    if as_json:
        import msgspec

        write([msgspec.json.format(msgspec.json.encode(found), indent=2).decode()])
    else:
        from envcheck.report import terminal, wheel

        write([wheel.render(found, width=terminal.width_of(sys.stdout))])
    return MET if found.gpu != "unknown" else NothingSelectedError.exit_code


def only_for_versions(platform: str | None, python: str | None) -> None:
    """A file is for one platform and Python already."""
    if platform or python:
        raise UsageError("--platform and --python choose a wheel of a version; a file or folder is what it is")


class Meter:
    """How much came over the network: a bar on a terminal, else a line now and then; nothing within two seconds."""

    PATIENCE_S = 2.0
    EVERY_S = 5.0
    WIDTH = 30

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.live = sys.stderr.isatty()
        self.done = 0
        self.due = time.monotonic() + self.PATIENCE_S
        self.shown = False

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown and self.live:
            sys.stderr.write("\r\x1b[K")

    def tick(self, came: int, expected: int | None) -> None:
        """`came` more bytes, of `expected` where that is known."""
        self.done += came
        now = time.monotonic()
        if self.quiet or now < self.due:
            return
        self.due = now + (0.1 if self.live else self.EVERY_S)
        self.shown = True
        sys.stderr.write(f"\r{self.line(expected)}" if self.live else f"{self.line(expected)}\n")
        sys.stderr.flush()

    def line(self, expected: int | None) -> str:
        """What came so far."""
        megabytes = f"{self.done / 1e6:.1f} MB"
        if not expected:
            return f"fetching the wheel: {megabytes}"
        share = min(self.done / expected, 1.0)
        bar = ("#" * int(share * self.WIDTH)).ljust(self.WIDTH, ".") + " " if self.live else ""
        return f"fetching the wheel: {bar}{megabytes} of {expected / 1e6:.1f} MB"
