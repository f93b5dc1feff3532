"""One cell, start to finish: an environment that exists -> Evidence."""

from envcheck.cell.run import Setting, observe_cell

__all__ = ["Setting", "observe_cell"]
