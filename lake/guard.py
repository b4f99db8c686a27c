"""SQL is hostile: which statements may run at all, and which questions a stranger may ask."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import duckdb

from schemas.errors import DravaError

_Type = duckdb.StatementType

# A connection may make things of its own in memory. Everything that could reach a file, the network or the
# configuration is refused before DuckDB sees it: COPY could overwrite the very files the views read.
_HARMLESS = {
    _Type.SELECT,
    _Type.EXPLAIN,
    _Type.CREATE,
    _Type.INSERT,
    _Type.UPDATE,
    _Type.DELETE,
    _Type.MERGE_INTO,
    _Type.DROP,
    _Type.ALTER,
    _Type.TRANSACTION,
    _Type.VARIABLE_SET,
}

# Table functions of a stranger's question. Those that read files, run text as SQL or take addresses are not here.
_FUNCTIONS = {
    "duckdb_columns",
    "duckdb_constraints",
    "duckdb_functions",
    "duckdb_keywords",
    "duckdb_tables",
    "duckdb_types",
    "duckdb_views",
    "generate_series",
    "generate_subscripts",
    "histogram",
    "histogram_values",
    "json_each",
    "json_tree",
    "pg_timezone_names",
    "pragma_table_info",
    "pragma_version",
    "range",
    "repeat",
    "repeat_row",
    "summary",
    "unnest",
}
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)


def harmless(query: str) -> None:
    """Refuse statements that reach beyond the connection's memory. Raises DravaError.

    What cannot be parsed passes: DuckDB itself says best what is wrong with it.
    """
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error:
        return
    for statement in statements:
        if statement.type == _Type.MULTI:
            raise DravaError("PIVOT without its list of values is not allowed here", "Write PIVOT … ON … IN (…)")
        if statement.type not in _HARMLESS:
            raise DravaError(
                f"{statement.type.name} is not allowed here", "This connection reads one snapshot, no more"
            )
        if statement.type == _Type.EXPLAIN:
            _explained(statement.query)


def _explained(query: str) -> None:
    """EXPLAIN ANALYZE runs what it explains: only questions are explained."""
    found = _EXPLAIN.match(query)
    inner = duckdb.extract_statements(query[found.end() :]) if found else []
    if [statement.type for statement in inner] != [_Type.SELECT]:
        raise DravaError("only a SELECT can be explained here", "Write EXPLAIN SELECT …")


def question(query: str, macros: frozenset[str] = frozenset()) -> None:
    """Refuse what is not exactly one SELECT (or EXPLAIN of one) over views, macros and harmless functions."""
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise DravaError(first_line(error)) from None
    kinds = [statement.type for statement in statements]
    if kinds == [_Type.EXPLAIN]:
        found = _EXPLAIN.match(statements[0].query)
        question(statements[0].query[found.end() :] if found else "", macros)
        return
    if kinds != [_Type.SELECT]:
        said = ", ".join(kind.name for kind in kinds) or "nothing"
        raise DravaError(f"one SELECT is wanted, not {said}", "PIVOT needs its IN list")
    for name in _table_functions(_tree(query)):
        if name not in _FUNCTIONS | macros:
            raise DravaError(f"table function {name!r} is not allowed here", "Ask the views: drava sql 'SHOW TABLES'")


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """A database of nothing: to make one takes longer than most questions."""
    return duckdb.connect()


def _tree(query: str) -> Any:
    with _parser().cursor() as parser:
        row = parser.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    try:
        tree = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        raise DravaError("the query is nested too deeply", "Split it with WITH") from None
    if tree["error"]:
        raise DravaError("this kind of SELECT is not allowed here", str(tree.get("error_message", "")))
    return tree


def named(query: str) -> set[str] | None:
    """The tables and functions that a SELECT names, and its literals, which a macro may take for a table's name.

    None where the query is none that can be taken apart.
    """
    try:
        nodes = list(_nodes(_tree(query)))
    except (duckdb.Error, DravaError):
        return None
    if any(node.get("type") == "SHOW_REF" for node in nodes):
        return None
    return {str(node[key]).lower() for node in nodes for key in ("table_name", "function_name", "text") if key in node}


def _table_functions(tree: Any) -> set[str]:
    found = (node["function"] for node in _nodes(tree) if node.get("type") == "TABLE_FUNCTION")
    return {str(function.get("function_name", "")).lower() for function in found}


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a parsed query."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def first_line(error: BaseException) -> str:
    """DuckDB's message as one line: what is wrong, and what it would have known instead."""
    lines = str(error).strip().split("\n")
    more = [line.strip() for line in lines[1:3] if line.startswith(("Candidate", "Did you mean"))]
    return " ".join([lines[0].rstrip("."), *more])
