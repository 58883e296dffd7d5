"""Every identifier of a file and how it stands there.

Comments and strings come from the syntax tree, so that what they hold is not taken for code; the
identifiers between them are found by their spelling, without a node of the tree for each.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from operator import or_
from typing import TYPE_CHECKING

from treemend.tools.index.facts import LONG_SEPARATOR, MEMBER, Occurrences, Use

if TYPE_CHECKING:
    from tree_sitter import Node

_IDENTIFIER = re.compile(rb"([A-Za-z_$@\x80-\xff][\w$\x80-\xff]*[?!]?(?![\w$\x80-\xff]))")
_PLAIN = re.compile(rb"([A-Za-z_$\x80-\xff][\w$\x80-\xff]*)")
_BEFORE = bytes(MEMBER if byte == ord(".") else 0 for byte in range(256))
_LONG_SEPARATORS = {
    "c": (b"->",), "cpp": (b"->", b"::"), "rust": (b"::",), "php": (b"->", b"::"), "ruby": (b"::",),
    "java": (b"::",), "csharp": (b"?.",),
    **dict.fromkeys(("javascript", "typescript", "tsx"), (b"?.", b"!.")),
}  # fmt: skip
_BEHIND = bytes(Use.CALL if byte == ord("(") else 0 for byte in range(256))

_SEPARATORS = MEMBER | LONG_SEPARATOR
_DOTTED = bytes(use | Use.ATTRIBUTE if use & MEMBER and not use & 7 else use for use in range(256))
"""A member that isn't called is an attribute."""
_DOTTED_CALLS = bytes(use | Use.CALL if use & MEMBER else use for use in range(256))

_C_FAMILY = (
    "break case catch char class const continue default delete do double else enum extern false finally "
    "float for goto if int long namespace new null private protected public register return short signed "
    "sizeof static struct switch this throw true try typedef union unsigned using virtual void volatile while"
)
_RESERVED = {
    "python": "False None True and as assert async await break class continue def del elif else except "
    "finally for from global if import in is lambda nonlocal not or pass raise return try while with yield",
    "javascript": "async await break case catch class const continue debugger default delete do else enum "
    "export extends false finally for function if import in instanceof let new null of return static "
    "switch throw true try typeof undefined var void while with yield",
    "typescript": "abstract as async await break case catch class const continue declare default delete do "
    "else enum export extends false finally for function if implements import in instanceof interface "
    "keyof let new null of private protected public readonly return static switch throw true try type "
    "typeof undefined var void while with yield",
    "java": "abstract assert break case catch class const continue default do else enum extends final "
    "finally for goto if implements import instanceof interface native new null package private protected "
    "public return static strictfp switch synchronized throw throws transient true false try var void "
    "volatile while",
    "go": "break case chan const continue default defer else fallthrough for func go goto if import "
    "interface map package range return select struct switch type var nil true false",
    "rust": "as async await break const continue dyn else enum extern false fn for if impl in let loop match "
    "mod move mut pub ref return static struct trait true type unsafe use where while",
    "c": _C_FAMILY + " define endif ifdef ifndef include undef",
    "cpp": _C_FAMILY
    + " auto bool constexpr decltype define endif explicit friend ifdef ifndef include inline "
    "mutable noexcept nullptr operator override template typename undef",
    "csharp": _C_FAMILY + " abstract as async await base bool byte decimal foreach get in internal is lock "
    "object out override params partial readonly ref sealed set string var where yield",
    "ruby": "and begin break case class def defined? do else elsif end ensure false for if in module next "
    "nil not or redo rescue retry return super then true undef unless until when while yield",
    "php": "abstract and array as break case catch class clone const continue declare default do echo else "
    "elseif empty enum extends false final finally fn for foreach function global if implements include "
    "instanceof interface isset match namespace new null or php print private protected public readonly "
    "require return static switch throw trait true try unset use var while yield",
}
_RESERVED["tsx"] = _RESERVED["typescript"]
_WORDS = {language: frozenset(words.encode().split()) for language, words in _RESERVED.items()}
_CALLS_BY_DOT = frozenset({"ruby"})
"""Languages in which a member without arguments is a call all the same."""


def find_identifiers(
    language: str,
    data: bytes,
    captures: dict[str, list[Node]],
    definitions: Iterable[int],
    line_starts: tuple[int, ...],
) -> Occurrences:
    """The identifiers of `data`; `definitions` are the offsets where definitions' names stand."""
    code = _without(data, (*captures.get("skip", ()), *captures.get("comment", ())))
    pattern = _IDENTIFIER if language == "ruby" else _PLAIN
    # Names and what stands between them, in turns; the line ends give the first and the last one both.
    pieces = pattern.split(b"\n" + code + b"\n")
    spelled, gaps = pieces[1::2], pieces[0::2]
    offsets = list(accumulate(map(len, pieces)))[0:-1:2]
    before = bytes([gap[-1] for gap in gaps[:-1]]).translate(_BEFORE)
    behind = bytes([gap[0] for gap in gaps[1:]]).translate(_BEHIND)
    if long := _LONG_SEPARATORS.get(language):
        before = bytes(map(or_, before, [_SEPARATORS * gap.endswith(long) for gap in gaps[:-1]]))
    uses = bytearray(map(or_, before, behind)).translate(
        _DOTTED_CALLS if language in _CALLS_BY_DOT else _DOTTED
    )
    reserved = _WORDS[language]
    kept = bytes([name not in reserved for name in spelled])
    kept = bytes(map(or_, kept, before))
    # Less the line end that was put in front.
    starts = [offset - 1 for offset in compress(offsets, kept)]
    uses = bytearray(compress(uses, kept))
    names = list(compress(spelled, kept))
    _mark(uses, starts, captures, definitions)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return Occurrences(
        tuple([name.decode("utf-8", "replace") for name in numbers]),
        tuple(starts),
        tuple(map(numbers.__getitem__, names)),
        bytes(uses),
        line_starts,
    )


def _without(data: bytes, nodes: Iterable[Node]) -> bytes:
    """The same bytes with blanks where these nodes are."""
    code = bytearray(data)
    for node in nodes:
        start, end = node.start_byte, node.end_byte
        code[start:end] = b" " * (end - start)
    return bytes(code)


_CAPTURED = (("type", Use.TYPE), ("call", Use.CALL), ("bind", Use.BINDING), ("keyword", Use.BINDING))


def _mark(
    uses: bytearray, starts: Sequence[int], captures: dict[str, list[Node]], definitions: Iterable[int]
) -> None:
    """What only the syntax tree knows: types, calls without a parenthesis, imports, definitions."""
    for capture, use in _CAPTURED:
        for node in captures.get(capture, ()):
            _set(uses, starts, node.start_byte, use)
    for node in (*captures.get("import", ()), *captures.get("package", ())):
        first, last = bisect_left(starts, node.start_byte), bisect_left(starts, node.end_byte)
        for at in range(first, last):
            uses[at] = uses[at] & _SEPARATORS | Use.IMPORT
    for start in definitions:
        _set(uses, starts, start, Use.DEFINITION)


def _set(uses: bytearray, starts: Sequence[int], start: int, use: Use) -> None:
    at = bisect_left(starts, start)
    if at < len(starts) and starts[at] == start:
        uses[at] = uses[at] & _SEPARATORS | use
