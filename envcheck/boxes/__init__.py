"""Containers: the engine that is there, the command that starts one, and the certainty that none is left behind.

`find` says which engine answers; `argv` writes the command down; `box_of` knows the container behind a command that was
started; `sweep` removes what runs that are gone have left.
"""

from envcheck.boxes.engine import Engine, EngineMissingError, Gpu, find, silence
from envcheck.boxes.inner import InnerBox, entering, inner_of, marked
from envcheck.boxes.lifecycle import Box, box_of, fresh, remove_of_this_run, run_label, sweep, tidied
from envcheck.boxes.options import RunOptions, argv

__all__ = [
    "Box",
    "Engine",
    "EngineMissingError",
    "Gpu",
    "InnerBox",
    "RunOptions",
    "argv",
    "box_of",
    "entering",
    "find",
    "fresh",
    "inner_of",
    "marked",
    "remove_of_this_run",
    "run_label",
    "silence",
    "sweep",
    "tidied",
]
