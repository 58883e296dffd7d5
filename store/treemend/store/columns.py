"""Records as the columns of their rows, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from pydantic import TypeAdapter

from treemend.store.errors import StoreError
from treemend.store.records import Edit, Place, Record, Task
from treemend.store.tables import to_text

R = TypeVar("R", bound=Record)

_JSON: Mapping[str, TypeAdapter[Any]] = {
    "edits": TypeAdapter(tuple[Edit, ...]),
    "place": TypeAdapter(Place),
    "regressions": TypeAdapter(tuple[str, ...]),
    "task": TypeAdapter(Task),
}
"""The columns that hold JSON text."""

_ESCAPED = "\x1a"


def to_columns(record: Record) -> dict[str, Any]:
    """A record's fields as column values."""
    return {name: _to_column(name, value) for name, value in record}


def from_columns(kind: type[R], row: Any) -> R:
    """The record that `to_columns` made the row of.

    Raises:
        StoreError: the row isn't one that was written.
    """
    try:
        return kind.model_validate(
            {name: _from_column(name, getattr(row, name)) for name in kind.model_fields}
        )
    except (ValueError, TypeError, RecursionError) as error:
        what = kind.__name__.lower()
        raise damaged(f"a {what}", getattr(row, "run", getattr(row, "id", "?"))) from error


def damaged(what: str, run_id: str) -> StoreError:
    """The error for what can't have been written like that."""
    return StoreError(
        f"The store is damaged: {what} of run {run_id} is not what was written.",
        mend="Start that run anew with `treemend fix`; check the disk.",
    )


def as_text(text: str) -> str:
    """`text` as any database takes it: lone surrogates and NUL, which come from test output and
    file names, are escaped so that they come back."""
    if "\0" in text or text.startswith(_ESCAPED) or not _is_unicode(text):
        return _ESCAPED + text.encode("unicode_escape").decode()
    return text


def _from_text(text: str) -> str:
    if text.startswith(_ESCAPED):
        return text[1:].encode().decode("unicode_escape")
    return text


def _to_column(name: str, value: Any) -> Any:
    if value is not None and name in _JSON:
        # Not in ASCII: JSON would read two lone surrogates in a row as one character.
        return as_text(json.dumps(_JSON[name].dump_python(value), ensure_ascii=False))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return to_text(value)
    return as_text(value) if isinstance(value, str) else value


def _from_column(name: str, value: Any) -> Any:
    if value is not None and name in _JSON:
        return _JSON[name].validate_python(json.loads(_from_text(value)))
    return _from_text(value) if isinstance(value, str) else value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
