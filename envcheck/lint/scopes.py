"""Names: which scope a node stands in, what each scope binds, and which bindings can reach a use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar, cast

Node = TypeVar("Node", bound=ast.AST)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
NEW_SCOPE = (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef)
MARKS = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
"""Nodes that carry no place and no name; half of a tree."""
REPEATED = ("body", "test")
"""The fields of a loop that run once per turn."""
MOST_BINDINGS = 60
"""A name that is bound more often than this could be anything."""


class Binding(NamedTuple):
    """One way in which a name gets its value.

    `path` is set by an import; `value` by an assignment, a with item or a definition; `item` where the name takes one
    item of the value; `each` where a loop hands it the items of the value one by one. All unset: nobody can tell (a
    parameter, an augmented assignment).
    """

    target: ast.AST
    value: ast.AST | None = None
    path: str = ""
    item: int | None = None
    first_parameter: bool = False
    each: bool = False


@dataclass(eq=False)
class Scope:
    """A module, class, function or comprehension, and the names that it binds."""

    node: ast.AST
    parent: Scope | None
    names: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    outside: dict[str, Scope] = field(default_factory=dict)
    """Names declared global or nonlocal, and the scope they belong to."""

    def bind(self, name: str, binding: Binding) -> None:
        """Add one binding, in the scope that the name belongs to."""
        self.outside.get(name, self).names.setdefault(name, []).append(binding)

    @property
    def module(self) -> Scope:
        """The outermost scope."""
        return self if self.parent is None else self.parent.module


class Scopes:
    """All scopes of a module, with parents and statements of its nodes. Built once, without recursion."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.parents: dict[ast.AST, ast.AST] = {}
        self.block: dict[ast.AST, str] = {}
        """The field of its parent that each node stands in: `body`, `orelse`, `test` …"""
        self.scope_of: dict[ast.AST, Scope] = {}
        self.kinds: dict[type[ast.AST], list[ast.AST]] = {}
        self.by_node: dict[ast.AST, Scope] = {}
        self.module = self._open(tree, None)
        self._read()

    def _open(self, node: ast.AST, parent: Scope | None) -> Scope:
        self.by_node[node] = Scope(node, parent)
        return self.by_node[node]

    def _read(self) -> None:
        """Depth first, in source order: declarations of `global` come before the bindings that they move."""
        stack: list[tuple[ast.AST, Scope]] = [(self.tree, self.module)]
        while stack:
            node, scope = stack.pop()
            self.kinds.setdefault(type(node), []).append(node)
            self.scope_of[node] = scope
            self._declare(node, scope)
            inner = self._open(node, scope) if isinstance(node, NEW_SCOPE) else scope
            bind(node, scope, inner)
            children = list(fields(node))
            for name, child in children:
                self.parents[child] = node
                self.block[child] = name
            stack.extend((child, inner if inside(node, child) else scope) for _, child in reversed(children))

    def _declare(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Global):
            scope.outside.update(dict.fromkeys(node.names, self.module))
        elif isinstance(node, ast.Nonlocal):
            for name in node.names:
                owner = next((s for s in enclosing(scope) if name in s.names), None)
                if owner is not None:
                    scope.outside[name] = owner

    def of(self, kind: type[Node]) -> list[Node]:
        """All nodes of one kind, in source order."""
        return cast("list[Node]", self.kinds.get(kind, []))

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Parents, the nearest first, up to the module."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def statement(self, node: ast.AST) -> ast.AST:
        """The innermost statement that `node` is or stands in."""
        while not isinstance(node, (ast.stmt, ast.Module, ast.excepthandler)) and node in self.parents:
            node = self.parents[node]
        return node

    def within_function(self, node: ast.AST) -> Iterator[ast.AST]:
        """Parents up to, and not including, the nearest function, class or module."""
        for parent in self.ancestors(node):
            if isinstance(parent, (*FUNCTIONS, ast.ClassDef, ast.Module)):
                return
            yield parent

    def loops(self, node: ast.AST) -> list[ast.AST]:
        """The loops that run `node` again and again, in its own function, the innermost first."""
        found: list[ast.AST] = []
        child = node
        for parent in self.within_function(node):
            if isinstance(parent, LOOPS) and self.block[child] in REPEATED:
                found.append(parent)
            child = parent
        return found

    def function(self, node: ast.AST) -> ast.AST | None:
        """The nearest function around `node`, or None at module or class level."""
        for parent in self.ancestors(node):
            if isinstance(parent, FUNCTIONS):
                return parent
            if isinstance(parent, ast.ClassDef):
                return None
        return None

    def reaching(self, name: ast.Name) -> list[Binding] | None:
        """The bindings that can give `name` its value where it stands; None where no scope binds it."""
        scope: Scope | None = self.scope_of[name]
        first = scope
        while scope is not None:
            owner = scope.outside.get(name.id, scope)
            if name.id in owner.names and (scope is first or not isinstance(scope.node, ast.ClassDef)):
                bindings = owner.names[name.id]
                if len(bindings) > MOST_BINDINGS:
                    return [Binding(name)]
                return self._flowing(bindings, name) if owner is first else bindings
            scope = scope.parent
        return None

    def _flowing(self, bindings: list[Binding], use: ast.Name) -> list[Binding]:
        """Bindings of the use's own scope: back to the one that always runs before it, and around its loops."""
        loops = self.loops(use)
        earlier = [b for b in bindings if self._before(b, use)]
        later = [b for b in bindings if b not in earlier]
        found: list[Binding] = []
        certain: Binding | None = None
        for binding in reversed(earlier):
            found.append(binding)
            if self._certain(binding, use):
                certain = binding
                break
        for binding in later:
            common = [loop for loop in loops if loop in self.loops(binding.target)]
            if any(certain is None or loop not in self.ancestors(certain.target) for loop in common):
                found.append(binding)
        return found or bindings

    def _before(self, binding: Binding, use: ast.Name) -> bool:
        statement = self.statement(binding.target)
        if statement is self.statement(use) and isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            return False
        return place(binding.target) < place(use) or isinstance(binding.target, ast.arg)

    def _certain(self, binding: Binding, use: ast.Name) -> bool:
        """Whether the binding's statement runs whenever the use is reached."""
        statement = self.statement(binding.target)
        if isinstance(binding.target, ast.arg) or statement in self.ancestors(use):
            return True
        home = self.parents.get(statement)
        child: ast.AST = use
        for parent in self.ancestors(use):
            if parent is home:
                return self.block.get(child) == self.block.get(statement)
            child = parent
        return False


def place(node: ast.AST) -> tuple[int, int]:
    """Where a node begins, for comparing."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def fields(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The children of a node with the name of the field that holds them."""
    for name, held in ast.iter_fields(node):
        for child in held if isinstance(held, list) else (held,):
            if isinstance(child, ast.AST) and not isinstance(child, MARKS):
                yield name, child


def inside(node: ast.AST, child: ast.AST) -> bool:
    """Whether the child of a scope-opening node stands in the new scope. Defaults and decorators do not."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return isinstance(child, ast.stmt)
    return not isinstance(child, ast.arguments)


def enclosing(scope: Scope) -> Iterator[Scope]:
    """The scopes around `scope`."""
    while scope.parent is not None:
        scope = scope.parent
        yield scope


def bind(node: ast.AST, scope: Scope, inner: Scope) -> None:
    """What `node` binds: definitions and assignments in `scope`, parameters in `inner`."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        scope.bind(node.name, Binding(node, value=node))
    if isinstance(node, FUNCTIONS):
        bind_parameters(node.args, inner, method=isinstance(scope.node, ast.ClassDef))
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        bind_import(node, scope)
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        bind_each(node.target, node.iter, inner)
    else:
        for target, value in assigned(node):
            bind_target(target, value, inner)


def bind_parameters(arguments: ast.arguments, inner: Scope, *, method: bool) -> None:
    """Parameters: nobody can tell their values, but the first one of a method is its object."""
    ordinary = [*arguments.posonlyargs, *arguments.args]
    others = [*arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))]
    for number, parameter in enumerate([*ordinary, *others]):
        inner.bind(parameter.arg, Binding(parameter, first_parameter=method and number == 0))


def bind_import(node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    """Imports bind paths."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            path = alias.name if alias.asname else alias.name.partition(".")[0]
            scope.bind(alias.asname or path, Binding(node, path=path))
        return
    base = "." * node.level + (node.module or "")
    for alias in node.names:
        if alias.name == "*":
            scope.stars.append(base)
        else:
            scope.bind(alias.asname or alias.name, Binding(node, path=f"{base}.{alias.name}"))


def assigned(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """The targets that a node assigns, and the value where it is known."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr
    elif isinstance(node, ast.AugAssign):
        yield node.target, None


def bind_each(target: ast.AST, source: ast.AST, scope: Scope) -> None:
    """What a loop hands out: one item per turn, or the parts of one."""
    if isinstance(target, ast.Name):
        scope.bind(target.id, Binding(target, value=source, each=True))
        return
    for number, part in enumerate(getattr(target, "elts", ())):
        if isinstance(part, ast.Name):
            scope.bind(part.id, Binding(part, value=source, item=number, each=True))
        else:
            bind_target(part, None, scope)


def bind_target(target: ast.AST, value: ast.AST | None, scope: Scope, item: int | None = None) -> None:
    """A name, or the names of a tuple; attributes are looked up elsewhere."""
    if isinstance(target, ast.Name):
        scope.bind(target.id, Binding(target, value=value, item=item))
    elif isinstance(target, ast.Starred):
        bind_target(target.value, None, scope)
    elif isinstance(target, (ast.Tuple, ast.List)):
        same = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts) and item is None
        for number, part in enumerate(target.elts):
            if same and isinstance(value, (ast.Tuple, ast.List)):
                bind_target(part, value.elts[number], scope)
            else:
                bind_target(part, None if item is not None else value, scope, number)
