"""Which faults can be planted in a syntax tree of Python."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# What each comparison and operation is confused with.
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.Pow: ast.Mult,
}
# Names that are mistaken for each other: functions, and the sets of roles in the table of rights.
NAMES = {
    "min": ("max",),
    "max": ("min",),
    "any": ("all",),
    "all": ("any",),
    "EVERYONE": ("MANAGERS",),
    "MANAGERS": ("EVERYONE", "OWNER"),
    "OWNER": ("MANAGERS",),
}
# Methods whose call can be left out: what they are called on is of the same kind.
LEFT_OUT = {
    *("filter", "exclude", "order_by", "live", "for_team"),
    *("strip", "rstrip", "ljust", "astimezone", "quantize"),
}
# Parts of a node that say nothing about what runs, or would only raise a TypeError.
SKIPPED: dict[type[ast.AST], tuple[str, ...]] = {
    ast.AnnAssign: ("annotation", "target"),
    ast.FunctionDef: ("args", "returns", "decorator_list"),
    ast.Lambda: ("args",),
    ast.ExceptHandler: ("type",),
    ast.withitem: ("context_expr",),
}
# The name of a type variable is a text, too.
TEXTS = {"_", "gettext", "ngettext", "gettext_lazy", "TypeVar"}
# A named argument that guards against a fault of the code beside it, and is none by itself.
GUARD = "strict"


@dataclass(frozen=True, slots=True)
class Place:
    """A node, where it hangs in the tree, and the function and statement it belongs to."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    function: str
    lines: frozenset[int]

    def put(self, node: ast.AST) -> None:
        ast.fix_missing_locations(ast.copy_location(node, self.node))
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True, slots=True)
class TreeFault:
    """A change of the tree that was given to `tree_faults`; `plant` makes it."""

    function: str
    change: str
    lines: frozenset[int]
    plant: Callable[[], None]


def tree_faults(tree: ast.Module) -> Iterator[TreeFault]:
    """Every fault of a module: in its functions, and in the values of its constants. `function` is the
    qualified name of the outermost function, or the name of the constant after a dot.
    """
    for place in _places(tree):
        for node in _instead(place):
            yield TreeFault(
                place.function,
                _change(place.node, node),
                place.lines,
                lambda place=place, node=node: place.put(node),  # type: ignore[misc]
            )


def _change(node: ast.AST, instead: ast.AST) -> str:
    if isinstance(node, ast.Call) and isinstance(instead, ast.Call) and node.func is instead.func:
        rest = {id(keyword) for keyword in instead.keywords}
        (without,) = (keyword for keyword in node.keywords if id(keyword) not in rest)
        return f"{_source(node.func)}(…) without {without.arg or _source(without.value)}"
    return f"{_source(node)} → {_source(instead)}"


def _source(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 110 else f"{text[:70]} … {text[-35:]}"


def _places(tree: ast.Module) -> Iterator[Place]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            lines = frozenset[int]()
            yield from _within(statement.value, statement, "value", None, f".{ast.unparse(target)}", lines)
        else:
            yield from _functions(statement, "")


def _functions(statement: ast.stmt, prefix: str) -> Iterator[Place]:
    if isinstance(statement, ast.ClassDef):
        for inner in statement.body:
            yield from _functions(inner, f"{prefix}{statement.name}.")
    elif isinstance(statement, ast.FunctionDef):
        name = prefix + statement.name
        for index, inner in enumerate(statement.body):
            yield from _within(inner, statement, "body", index, name, frozenset())


def _within(
    node: ast.AST, parent: ast.AST, field: str, index: int | None, function: str, lines: frozenset[int]
) -> Iterator[Place]:
    """The node and all below it, but for texts for people, annotations, defaults and documentation."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.stmt):
        lines = _own_lines(node)
    yield Place(node, parent, field, index, function, lines)
    if not _is_text(node):
        for inner, name, position in _below(node):
            yield from _within(inner, node, name, position, function, lines)


def _is_text(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TEXTS
    is_guard = isinstance(node, ast.keyword) and node.arg == GUARD
    return is_call or is_guard or isinstance(node, ast.JoinedStr)


def _below(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """The nodes right below this one, each with its field and its place in it."""
    for name, value in ast.iter_fields(node):
        if name in SKIPPED.get(type(node), ()):
            continue
        if isinstance(value, ast.AST):
            yield value, name, None
        elif isinstance(value, list):
            yield from ((item, name, at) for at, item in enumerate(value) if isinstance(item, ast.AST))


def _own_lines(statement: ast.stmt) -> frozenset[int]:
    """The lines of a statement without the statements inside of it."""
    inside = getattr(statement, "body", None)
    first = statement.lineno
    last = inside[0].lineno - 1 if inside else statement.end_lineno or first
    return frozenset(range(first, max(first, last) + 1))


def _instead(place: Place) -> Iterator[ast.AST]:
    """What may be put in the place of a node."""
    node = place.node
    maker = _MAKERS.get(type(node))
    if maker:
        yield from maker(place)


def _shorter(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.Set | ast.Tuple | ast.List)
    if len(node.elts) < 2 or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    for position in range(len(node.elts)):
        rest = [item for at, item in enumerate(node.elts) if at != position]
        yield ast.Set(rest) if isinstance(node, ast.Set) else type(node)(rest, ast.Load())


def _compare(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.Compare)
    for position, operator in enumerate(node.ops):
        other = COMPARISONS[type(operator)]()
        yield ast.Compare(
            node.left, [*node.ops[:position], other, *node.ops[position + 1 :]], node.comparators
        )


def _binary(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.BinOp)
    if type(node.op) in OPERATIONS:
        yield ast.BinOp(node.left, OPERATIONS[type(node.op)](), node.right)


def _logical(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.BoolOp)
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for position in range(len(node.values)):
        rest = [value for at, value in enumerate(node.values) if at != position]
        yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _unary(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.UnaryOp)
    if isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _constant(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.Constant)
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        if value > 1:
            yield ast.Constant(value - 1)
    elif isinstance(value, str) and " " not in value and not _is_another_faults(place):
        yield ast.Constant(f"Q{value}")
    elif isinstance(value, bytes):
        yield ast.Constant(b"Q" + value)


def _is_another_faults(place: Place) -> bool:
    """Leaving out the whole keyword, or the whole call, is a fault of its own."""
    parent = place.parent
    if isinstance(parent, ast.keyword):
        return parent.arg == "pointer"
    return (
        isinstance(parent, ast.Call)
        and isinstance(parent.func, ast.Attribute)
        and parent.func.attr in LEFT_OUT
    )


def _conditional(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.IfExp)
    yield from (node.body, node.orelse)


def _if(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.If)
    for answer in (True, False):
        yield ast.If(ast.Constant(answer), node.body, node.orelse)


def _comprehension(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.comprehension)
    for position in range(len(node.ifs)):
        rest = [test for at, test in enumerate(node.ifs) if at != position]
        yield ast.comprehension(node.target, node.iter, rest, node.is_async)


def _return(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.Return)
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _statement(place: Place) -> Iterator[ast.AST]:
    node = place.node
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return
    yield ast.Pass()


def _jump(place: Place) -> Iterator[ast.AST]:
    yield ast.Continue() if isinstance(place.node, ast.Break) else ast.Break()


def _name(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.Name)
    if isinstance(node.ctx, ast.Load):
        yield from (ast.Name(other, ast.Load()) for other in NAMES.get(node.id, ()))


def _call(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.Call)
    for position in range(len(node.keywords)):
        rest = [keyword for at, keyword in enumerate(node.keywords) if at != position]
        if node.keywords[position].arg != GUARD:
            yield ast.Call(node.func, node.args, rest)
    if isinstance(node.func, ast.Attribute) and node.func.attr in LEFT_OUT:
        yield node.func.value
    if isinstance(node.func, ast.Name) and node.func.id == "sorted":
        yield ast.Call(ast.Name("list", ast.Load()), node.args, [])


def _slice(place: Place) -> Iterator[ast.AST]:
    node = place.node
    assert isinstance(node, ast.Slice)
    if node.lower and node.upper:
        yield ast.Slice(None, node.upper, node.step)
        yield ast.Slice(node.lower, None, node.step)


_MAKERS: dict[type[ast.AST], Callable[[Place], Iterator[ast.AST]]] = {
    ast.Compare: _compare,
    ast.BinOp: _binary,
    ast.BoolOp: _logical,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.IfExp: _conditional,
    ast.If: _if,
    ast.comprehension: _comprehension,
    ast.Return: _return,
    ast.Expr: _statement,
    ast.Raise: _statement,
    ast.AugAssign: _statement,
    ast.Assign: _statement,
    ast.Break: _jump,
    ast.Continue: _jump,
    ast.Name: _name,
    ast.Call: _call,
    ast.Slice: _slice,
    ast.Set: _shorter,
    ast.Tuple: _shorter,
    ast.List: _shorter,
}
