"""What a model meant, out of what it wrote: tolerant of form, strict on content."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

FENCED = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
TRAILING_COMMA = re.compile(r",(\s*[}\]])")
PIECES_MAX = 50
TEXT_CHARS_MAX = 200_000
DEPTH_MAX = 200


class Unparsed(Exception):
    """The answer holds nothing of the form wanted; the message says why, for the model."""


def parse_as(kind: type[M], text: str) -> M:
    """The last value in `text` that fits a model: bare, in a fence, or in the midst of sentences.

    Raises:
        Unparsed: nothing fits.
    """
    problem = "there is no JSON in it"
    found: M | None = None
    for value in _values(text[:TEXT_CHARS_MAX]):
        try:
            found = kind.model_validate(value)
        except ValidationError as error:
            problem = _first_problem(error)
        except RecursionError:
            problem = "it is nested too deeply"
    if found is None:
        raise Unparsed(problem)
    return found


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the value'}: {first['msg']}"


def _values(text: str) -> Iterator[Any]:
    pieces = [text, *FENCED.findall(text), *_balanced(text)]
    for piece in pieces[:PIECES_MAX]:
        value = _read(piece.strip())
        if isinstance(value, dict | list):
            yield value


def _read(piece: str) -> Any:
    if not piece.startswith(("{", "[")) or _depth(piece) > DEPTH_MAX:
        return None
    for candidate in (piece, TRAILING_COMMA.sub(r"\1", piece)):
        try:
            return json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
    try:
        return ast.literal_eval(piece)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _depth(piece: str) -> int:
    depth = deepest = 0
    for character in piece:
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _balanced(text: str) -> Iterator[str]:
    """Outermost pieces between braces or brackets, quotes heeded; at most PIECES_MAX."""
    at = 0
    for _ in range(PIECES_MAX):
        starts = [i for i in (text.find("{", at), text.find("[", at)) if i >= 0]
        if not starts:
            return
        start = min(starts)
        end = _end_of(text, start)
        if end is None:
            at = start + 1
            continue
        yield text[start:end]
        at = end


def _end_of(text: str, start: int) -> int | None:
    depth, quoted, escaped = 0, False, False
    for index in range(start, len(text)):
        character = text[index]
        if quoted:
            escaped = character == "\\" and not escaped
            quoted = character != '"' or (index > 0 and text[index - 1] == "\\" and not escaped)
        elif character == '"':
            quoted, escaped = True, False
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return index + 1
    return None
