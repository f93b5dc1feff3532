"""SRC804 to SRC806, SRC819: which delegate a vision task is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from envcheck.lint.finding import Hit
from envcheck.lint.program import CPU, GPU, Program
from envcheck.lint.values import TASKS, own_nodes

OPTIONS = frozenset(f"mp.{task}Options" for task in TASKS)
FROM_PATH = frozenset(f"mp.{task}.create_from_model_path" for task in TASKS)
BASE_OPTIONS = "mp.BaseOptions"
CHOICES = (ast.If, ast.Try, ast.IfExp, ast.Match)
MEMBER = "mp.BaseOptions.Delegate"
ASKS_CUDA = (
    "torch.cuda.", "tensorflow.config.", "tensorflow.test.", "cv2.cuda.", "cupy.cuda.", "pynvml.", "shutil.which()",
)  # fmt: skip
"""Questions that are about CUDA or a driver, not about OpenGL ES."""


DATA = re.compile(r"builtins\.int\(\)$|os\.getenv\(\)$|argparse\.ArgumentParser\(\)\.parse_args\(\)\.")


def missing(program: Program) -> Iterator[Hit]:
    """SRC804: no delegate is given, or None. Quiet wherever one may be given by a way that is not seen here."""
    if sets_delegate_later(program):
        return
    for call in program.calls:
        for name in program.values.names(call.func) & FROM_PATH:
            yield Hit("SRC804", call, f"{name.rpartition('.')[2]} takes no delegate")
    for base in base_options(program):
        given = program.argument(base, "delegate", 2)
        none = given is not None and program.values.constants(given) == [None]
        if (given is None or none) and not program.passes_unseen(base) and not gpu_elsewhere(program, base):
            yield Hit("SRC804", base)


def base_options(program: Program) -> list[ast.Call]:
    """The BaseOptions of vision tasks, where they alone can be meant."""
    found: dict[ast.Call, None] = {}
    for call in program.calls:
        if not program.values.names(call.func) & OPTIONS:
            continue
        bases = program.values.of(program.argument(call, "base_options", 0))
        calls = [base.node for base in bases if base.name == f"{BASE_OPTIONS}()" and isinstance(base.node, ast.Call)]
        if len(calls) == len(bases) and not any(has_delegate(program, base) for base in calls[1:] or ()):
            found.update(
                dict.fromkeys(calls if len(calls) == 1 or not any(has_delegate(program, b) for b in calls) else ())
            )
    return list(found)


def has_delegate(program: Program, base: ast.Call) -> bool:
    """Whether a BaseOptions is given a delegate, as far as can be seen."""
    return program.argument(base, "delegate", 2) is not None


def sets_delegate_later(program: Program) -> bool:
    """Whether any object's `delegate` is assigned after it was made."""
    attributes = program.scopes.of(ast.Attribute)
    assigned = any(node.attr == "delegate" and isinstance(node.ctx, ast.Store) for node in attributes)
    return assigned or any("builtins.setattr" in program.values.names(call.func) for call in program.calls)


def gpu_elsewhere(program: Program, base: ast.Call) -> bool:
    """Whether this is the CPU's side of a choice: another branch, or an earlier way out, names the GPU."""
    gpu = set(program.uses_gpu)
    if not gpu:
        return False
    child: ast.AST = base
    for parent in (*program.scopes.within_function(base), program.scopes.function(base)):
        beside = arms_beside(parent, child) if isinstance(parent, CHOICES) else ()
        if any(holds(part, gpu) for part in (*beside, *ways_out_before(parent, child))):
            return True
        child = parent or child
    return False


def arms_beside(choice: ast.AST, within: ast.AST) -> Iterator[ast.AST]:
    """The parts of a choice that run where the arm that `within` stands in does not."""
    for _, part in ast.iter_fields(choice):
        parts = part if isinstance(part, list) else [part]
        statements = within in parts and isinstance(within, ast.stmt)
        yield from (one for one in parts if isinstance(one, ast.AST) and one is not within and not statements)


def ways_out_before(block: ast.AST | None, within: ast.AST) -> Iterator[ast.AST]:
    """The statements before that of `within`, in its own list, that can leave the function."""
    for _, part in ast.iter_fields(block) if block is not None else ():
        if isinstance(part, list) and within in part:
            before = part[: part.index(within)]
            yield from (one for one in before if isinstance(one, (ast.If, ast.Try, ast.With)) and leaves(one))


def holds(node: ast.AST, wanted: set[ast.AST]) -> bool:
    """Whether one of `wanted` stands in a node."""
    return any(inner in wanted for inner in ast.walk(node))


def leaves(node: ast.AST) -> bool:
    """Whether a statement can leave its function."""
    return any(isinstance(inner, ast.Return) for inner in own_nodes(node))


def given(program: Program) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Each BaseOptions and the delegate it is given."""
    for call in program.calls:
        if BASE_OPTIONS in program.values.names(call.func):
            delegate = program.argument(call, "delegate", 2)
            if delegate is not None:
                yield call, delegate


def on_purpose(program: Program) -> Iterator[Hit]:
    """SRC805: the CPU by name, in a file that never names the GPU."""
    if program.uses_gpu:
        return
    for _, delegate in given(program):
        if program.values.names(delegate) == {CPU}:
            yield Hit("SRC805", delegate)


def not_by_name(program: Program) -> Iterator[Hit]:
    """SRC806: a number, a text, or a member made from a number."""
    for _, delegate in given(program):
        constants = program.values.constants(delegate)
        if constants is not None and all(constant is not None for constant in constants):
            yield Hit("SRC806", delegate, what_happens(program, constants[0]))
    for call in program.calls:
        if call.args and MEMBER in program.values.names(call.func) and is_data(program, call.args[0]):
            yield Hit("SRC806", call, renumbered(program))


def is_data(program: Program, node: ast.AST) -> bool:
    """Whether a value is no member of an enum: a constant, or of a file, the command line or the environment."""
    if program.values.constants(node) is not None:
        return True
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return True
    return any(DATA.match(name) for name in program.values.names(node))


def what_happens(program: Program, constant: object) -> str:
    """What a number or a text does."""
    if isinstance(constant, str):
        return f"delegate={constant!r} is a text, not a member of BaseOptions.Delegate"
    version = program.version
    if version is None:
        end = "works in some versions, is silently dropped in others, and is an AttributeError from 0.10.32 on"
    elif version >= (0, 10, 32):
        end = "is an AttributeError: 'int' object has no attribute 'value'"
    elif version >= (0, 10, 30) or version < (0, 10, 10):
        end = "is silently dropped: the CPU works"
    else:
        end = "works in this version by luck: 1.2.2 has other numbers"
    return f"delegate={constant!r} {end}"


def renumbered(program: Program) -> str:
    """What a member made from a number means."""
    if program.version is not None and program.version < (1, 2, 2):
        return "Delegate(1) is the GPU here, and the CPU from 1.2.2 on"
    return "1 was the GPU up to 1.2.0, and is the CPU from 1.2.2 on"


def asked_of_cuda(program: Program) -> Iterator[Hit]:
    """SRC819: GPU or CPU is chosen by a question about CUDA."""
    seen: set[ast.AST] = set()
    for node in program.scopes.of(ast.Attribute):
        if GPU not in program.values.names(node):
            continue
        for parent in program.scopes.within_function(node):
            if (
                isinstance(parent, (ast.If, ast.IfExp))
                and (asked := asks(program, parent.test))
                and asked[0] not in seen
            ):
                seen.add(asked[0])
                yield Hit("SRC819", *asked)


def asks(program: Program, test: ast.AST) -> tuple[ast.AST, str] | None:
    """The question about CUDA that a condition rests on."""
    for node in ast.walk(test):
        if isinstance(node, (ast.Name, ast.Attribute, ast.Call)):
            for answer in (node, *conditions_of(program, node)):
                for value in program.values.of(answer):
                    if value.path.startswith(ASKS_CUDA) and value.path.endswith("()"):
                        return node, f"{value.path} knows nothing of OpenGL ES"
    return None


def conditions_of(program: Program, node: ast.AST) -> Iterator[ast.AST]:
    """The conditions that chose the constant that a name holds: `device = "cuda" if … else "cpu"`."""
    for value in program.values.of(node):
        parent = program.scopes.parents.get(value.node) if value.path == "=" and value.node else None
        if isinstance(parent, ast.IfExp) and parent.test is not value.node:
            yield parent.test
