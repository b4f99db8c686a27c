"""Arithmetic over columns, as a dataset writes it: `p227 + p235 - PUMP_1`. Parsed, never evaluated."""

import ast
from collections.abc import Callable, Collection

import polars as pl

from schemas.errors import DravaError

_OPERATIONS: dict[type[ast.operator], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., pl.Expr]]] = {  # with the number of their arguments
    "abs": (1, lambda one: one.abs()),
    "diff": (1, lambda one: one.diff()),
    "hours": (0, lambda: pl.col("at").diff().dt.total_microseconds() / 3.6e9),
}
LONGEST = 500  # characters; what is behind them makes it wrong


def column(text: str, known: Collection[str]) -> pl.Expr:
    """Turn text into an expression over one asset's rows, sorted by time.

    Knows + - * /, numbers, columns by name (in quotes where the name is not a word), `abs(x)`, `diff(x)` (to the row
    before), `hours()` (since the row before), `equals(x, "word")` (1 or 0). Raises DravaError for anything else.
    """
    if text in known:
        return pl.col(text).cast(pl.Float64)
    try:
        return _expression(ast.parse(text[:LONGEST], mode="eval").body, known)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DravaError(
            f"{text[:80]!r} is not arithmetic over columns: {error}",
            f"There are the columns {', '.join(sorted(known)[:20])}; + - * / abs() diff() hours() equals()",
        ) from None


def _name(node: ast.expr, known: Collection[str]) -> pl.Expr:
    match node:
        case ast.Name(id=str() as name) | ast.Constant(value=str() as name) if name in known:
            return pl.col(name)
    raise ValueError(f"{ast.unparse(node)[:40]!r} is no column")


def _expression(node: ast.expr, known: Collection[str]) -> pl.Expr:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_expression(left, known), _expression(right, known))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_expression(operand, known)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return pl.lit(float(value))
        case ast.Name(id=str() as name) | ast.Constant(value=str() as name) if name in known:
            return pl.col(name).cast(pl.Float64)
        case ast.Call(
            func=ast.Name(id="equals"), args=[one, ast.Constant(value=str() | int() | float() as value)], keywords=[]
        ):
            return (_name(one, known).cast(pl.String).str.strip_chars() == str(value)).cast(pl.Float64)
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if _FUNCTIONS.get(name, (-1,))[0] == len(given):
            return _FUNCTIONS[name][1](*(_expression(one, known) for one in given))
        case _:
            raise ValueError(f"{ast.unparse(node)[:40]!r} is not known here")
