"""SRC808 and SRC809: MediaPipe's objects and processes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from envcheck.lint.finding import Hit
from envcheck.lint.program import Program, is_creation
from envcheck.lint.values import own_nodes

MULTIPROCESSING = (
    "multiprocessing",
    "torch.multiprocessing",
    "multiprocessing.get_context()",
    "multiprocessing.context",
)
PROCESS = frozenset((*(f"{home}.Process" for home in MULTIPROCESSING), "multiprocessing.process.Process"))
POOLS = frozenset(
    (
        *(f"{home}.Pool" for home in MULTIPROCESSING),
        "multiprocessing.pool.Pool",
        "concurrent.futures.ProcessPoolExecutor",
    )
)
FORKS = frozenset(("os.fork", "os.forkpty", "pty.fork"))
LOADERS = frozenset(("torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"))
HANDED = frozenset(
    ("map", "imap", "imap_unordered", "starmap", "apply", "apply_async", "map_async", "starmap_async", "submit")
)
ITEM_METHODS = ("__getitem__", "__getitems__", "__iter__")


def before_fork(program: Program) -> Iterator[Hit]:
    """SRC808: made in one process, used in a child that was forked from it."""
    if not spawns(program):
        seen: set[ast.AST] = set()
        for start, work in (*workers(program), *forked(program)):
            for creation in inherited(program, work):
                if creation not in seen and precedes(program, creation, start):
                    seen.add(creation)
                    yield Hit("SRC808", creation, f"used in the process that line {line(start)} starts")


def at_import(program: Program) -> Iterator[Hit]:
    """SRC809: made while the module is imported, in a module that starts processes."""
    start = next(iter(starts(program)), None)
    taken = {hit.node for hit in before_fork(program)}
    for creation in program.creations if start is not None else ():
        at_module_level = program.scopes.function(creation) is None and not in_main(program, creation)
        if at_module_level and creation not in taken:
            yield Hit(
                "SRC809", creation, f"line {line(start)} starts processes, each of which inherits or repeats this"
            )


def spawns(program: Program) -> bool:
    """Whether the file chooses a start method other than fork, or one that is not seen."""
    for call in program.calls:
        names = program.values.names(call.func)
        chosen = [*call.args, *(keyword.value for keyword in call.keywords)]
        chooses = chosen and any(name.endswith(("set_start_method", "get_context")) for name in names)
        if chooses and all(program.values.constants(argument) != ["fork"] for argument in chosen):
            return True
        context = program.argument(call, "multiprocessing_context") or program.argument(call, "mp_context")
        if context is not None and program.values.constants(context) != ["fork"]:
            return True
    return False


def starts(program: Program) -> Iterator[ast.Call]:
    """Calls that start processes of this program."""
    for call in program.calls:
        names = program.values.names(call.func)
        if names & (PROCESS | POOLS | FORKS) or (names & LOADERS and has_workers(program, call)):
            yield call


def has_workers(program: Program, call: ast.Call) -> bool:
    """Whether a DataLoader surely works in processes."""
    counts = program.values.constants(program.argument(call, "num_workers", 5))
    return counts is not None and all(isinstance(count, int) and count > 0 for count in counts)


def workers(program: Program) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Where a process starts, and every node that runs in it."""
    for call in program.calls:
        names = program.values.names(call.func)
        if names & PROCESS:
            target = program.argument(call, "target", 1)
            passed = program.argument(call, "args", 3)
            yield call, [*functions(program, target), *(ast.walk(passed) if passed is not None else ())]
        elif names & LOADERS and has_workers(program, call):
            yield call, methods(program, program.argument(call, "dataset", 0), ITEM_METHODS)
        elif isinstance(call.func, ast.Attribute) and call.func.attr in HANDED and call.args:
            pools = [value for value in program.values.of(call.func.value) if value.path.removesuffix("()") in POOLS]
            if pools:
                handed = [node for argument in call.args[1:] for node in ast.walk(argument)]
                yield pools[0].node or call, [*functions(program, call.args[0]), *handed]
    for node in program.scopes.of(ast.ClassDef):
        if any(program.values.names(base) & PROCESS for base in node.bases):
            yield node, [n for m in node.body if getattr(m, "name", "") == "run" for n in own_nodes(m)]


def functions(program: Program, target: ast.AST | None) -> list[ast.AST]:
    """Every node of the functions of this file that `target` can be, and what `functools.partial` hands to them."""
    found: list[ast.AST] = []
    for value in program.values.of(target):
        if value.path == "def":
            found += own_nodes(value.node)
        elif value.path == "functools.partial()" and isinstance(value.node, ast.Call) and value.node.args:
            found += functions(program, value.node.args[0])
            found += [node for argument in value.node.args[1:] for node in ast.walk(argument)]
            found += [node for keyword in value.node.keywords for node in ast.walk(keyword)]
    return found


def methods(program: Program, target: ast.AST | None, names: tuple[str, ...]) -> list[ast.AST]:
    """Every node of some methods of the objects that `target` can be."""
    classes = [value.node for value in program.values.of(target) if isinstance(value.node, ast.ClassDef)]
    return [n for c in classes for m in c.body if getattr(m, "name", "") in names for n in own_nodes(m)]


def forked(program: Program) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Each os.fork() and what its child runs: the child's branch, or what follows."""
    for call in program.calls:
        if program.values.names(call.func) & FORKS:
            statement = program.scopes.statement(call)
            yield call, [node for part in child_part(program, statement) for node in ast.walk(part)]


def child_part(program: Program, statement: ast.AST) -> list[ast.AST]:
    """The statements that the child runs after a fork."""
    if isinstance(statement, ast.If):
        return branch_of_child(statement)
    parent = program.scopes.parents.get(statement)
    block = getattr(parent, program.scopes.block.get(statement, ""), [])
    after = block[block.index(statement) + 1 :] if isinstance(block, list) and statement in block else []
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    name = target.id if isinstance(target, ast.Name) else None
    for later in after:
        if isinstance(later, ast.If) and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(later.test)):
            return branch_of_child(later)
    return after


def branch_of_child(condition: ast.If) -> list[ast.AST]:
    """`if pid == 0` and `if not pid` hold for the child; other conditions for its parent."""
    test = condition.test
    child_first = isinstance(test, ast.UnaryOp) or (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq))
    return list(condition.body if child_first else condition.orelse)


def inherited(program: Program, work: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Objects that are used in a child and were made outside of what the child runs."""
    nodes = list(dict.fromkeys(program.follow(work)))
    inside = set(nodes)
    for node in nodes:
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            made = [value.node for value in program.values.of(node) if is_creation(value)]
            if not inside.intersection(made):
                yield from (call for call in made if isinstance(call, ast.Call))


def precedes(program: Program, creation: ast.Call, start: ast.AST) -> bool:
    """Whether the object exists when the process starts: made earlier, at import, or in an `__init__`."""
    function = program.scopes.function(creation)
    if function is program.scopes.function(start):
        return creation.lineno < line(start)
    return function is None or getattr(function, "name", "") == "__init__"


def in_main(program: Program, node: ast.AST) -> bool:
    """Whether a node stands below `if __name__ == "__main__"`."""
    return any(isinstance(p, ast.If) and "__name__" in ast.unparse(p.test) for p in program.scopes.ancestors(node))


def line(node: ast.AST | None) -> int:
    """The line of a node."""
    return getattr(node, "lineno", 0)
