"""`--dry-run`: what would be built and run, as text; nothing is started but the question for the driver."""

from __future__ import annotations

from collections.abc import Iterator

from envcheck import backends, compat
from envcheck.division import portion_of
from envcheck.engines import loading, local
from envcheck.engines.local import host_here, to_be_run
from envcheck.errors import UsageError
from envcheck.model import Cell, Host
from envcheck.plan import Backend, render
from envcheck.request import Request, read_matrix, selected

THE_LOCK = "(the lock that resolving leaves)"


def describe(request: Request) -> Iterator[str]:
    """The plan of every selected cell, and what is run in its environment. Raises EnvcheckError before the first."""
    check_engine(request)
    asked = read_matrix(request.matrix)
    cells, shard = portion_of(selected(asked, request.choice, request.expect), request.portion, request.env)
    host = host_here(request.env)
    known = backends.configured(asked.backends, host, request.env)
    if shard is not None:
        yield f"# {shard}\n"
    for cell in cells:
        yield "".join(cell_plan(cell, host, request, known[cell.axes.backend]))


def check_engine(request: Request) -> None:
    """Raise UsageError for an engine that is none, or not this machine: nothing is foreseen here for its hosts."""
    loading.maker_of(request.engine)
    if request.engine != loading.LOCAL:
        raise UsageError(
            f"--dry-run shows what this machine would build and run, and not what --engine {request.engine} would",
            remedy=f"Its hosts, and the cells that they can serve: envcheck fleet --engine {request.engine}",
        )
    local.check_options(request.engine_options)


def cell_plan(cell: Cell, host: Host, request: Request, backend: Backend) -> Iterator[str]:
    """One cell: what is foreseen, how it is built, what is run in it."""
    foresight = compat.foresee(cell.axes, host)
    yield f"== {cell.id}: {foresight.state}{': ' if foresight.because else ''}{foresight.because}\n"
    if not to_be_run(foresight, preflight=request.preflight):
        yield "# not run\n"
        return
    build = backend.build(cell.axes, THE_LOCK)
    yield render(backend.resolve(cell.axes))
    yield render(build)
    yield "# payloads, each sent on standard input to a process of its own: gl"
    yield ", cuda" if cell.axes.cuda else ""
    yield f", facemesh (delegate=CPU), facemesh (delegate=GPU)\n{' '.join(build.python)} -I -c BOOTSTRAP\n"
