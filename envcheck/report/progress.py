"""What is going on, on standard error: live lines on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Say = Callable[[str], None]

EVERY_S = 2.0


class Progress:
    """Says what each cell is doing. Safe to use from several threads."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.started = time.monotonic()
        self.lock = threading.Lock()
        self.tasks: dict[str, TaskID] = {}
        self.live: RichProgress | None = None

    def __enter__(self) -> Progress:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as RichProgress
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            self.live = RichProgress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def of(self, name: str) -> Say:
        """A function that says what `name` (a cell's id) is doing."""
        return lambda label: self.say(name, label)

    def slowly(self, name: str) -> Say:
        """The same for what goes on many times a second: once in EVERY_S at most, and not before."""
        last = time.monotonic()

        def say(label: str) -> None:
            nonlocal last
            if time.monotonic() - last >= EVERY_S:
                last = time.monotonic()
                self.say(name, label)

        return say

    def say(self, name: str, label: str) -> None:
        """`name` is now doing `label`."""
        if self.quiet:
            return
        with self.lock:
            if self.live is None:
                sys.stderr.write(f"[{time.monotonic() - self.started:6.1f} s] {name}: {label}\n")
                sys.stderr.flush()
            elif name in self.tasks:
                self.live.update(self.tasks[name], description=f"{name}: {label}")
            else:
                self.tasks[name] = self.live.add_task(f"{name}: {label}", total=None)

    def tell(self, text: str) -> None:
        """Something that is to stay on the screen."""
        if self.live is not None:
            self.live.console.print(text, markup=False, highlight=False)
        else:
            self.say("envcheck", text)

    def done(self, name: str) -> None:
        """`name` is finished; its line goes away."""
        with self.lock:
            task = self.tasks.pop(name, None)
            if self.live and task is not None:
                self.live.remove_task(task)
