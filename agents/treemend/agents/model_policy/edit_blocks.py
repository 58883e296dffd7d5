"""A model's edits: blocks in its answer, found in the files by exact and unique anchors."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from treemend.store.records import Edit
from treemend.tools.edits import apply_edits
from treemend.tools.source import NotEditable, SourceFile, lines_of
from treemend.tools.syntax import Module, parse_module

BLOCK = re.compile(
    r"^[`*# ]*(?P<path>[^\n`*]+?)[`*: ]*\r?\n(?:```[^\n]*\r?\n)?"
    r"(?:<<<<<<< SEARCH\r?\n(?P<search>.*?)^=======\r?\n(?P<replace>.*?)^>>>>>>> REPLACE"
    r"|<<<<<<< FUNCTION\r?\n(?P<function>.*?)^>>>>>>> END)",
    re.DOTALL | re.MULTILINE,
)
NOTHING = "NOTHING TO CHANGE"
BLOCKS_MAX = 40
ANSWER_CHARS_MAX = 200_000
SHOWN_LINES = 12
RATIONALE_CHARS_MAX = 600


class EditFailed(Exception):
    """Edits that can't be made; the message says what the file really says, for the model."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote: its edits against the untouched files, and its words before them."""

    edits: tuple[Edit, ...]
    rationale: str


def read_edits(answer: str, sources: Mapping[str, SourceFile]) -> Written:
    """The edits in an answer. Files keep their line ends, encoding and every byte that isn't edited.

    Raises:
        EditFailed: no blocks, a file that may not be edited, an anchor that is not there exactly once,
            overlapping blocks, or a result that is no Python.
    """
    answer = answer[:ANSWER_CHARS_MAX]
    blocks = list(BLOCK.finditer(answer))[: BLOCKS_MAX + 1]
    rationale = " ".join((answer[: blocks[0].start()] if blocks else answer).split())[:RATIONALE_CHARS_MAX]
    if not blocks and NOTHING in answer:
        return Written((), rationale)
    if not blocks:
        raise EditFailed("there is no SEARCH/REPLACE or FUNCTION block in the answer.")
    if len(blocks) > BLOCKS_MAX:
        raise EditFailed(f"there are more than {BLOCKS_MAX} blocks; change less.")
    edits = [_edit(block, sources) for block in blocks]
    for path in dict.fromkeys(edit.path for edit in edits):
        _check(path, [edit for edit in edits if edit.path == path], sources[path])
    return Written(tuple(sorted(edits, key=lambda edit: (edit.path, edit.start))), rationale)


def _edit(block: re.Match[str], sources: Mapping[str, SourceFile]) -> Edit:
    path, _, name = block["path"].strip().removeprefix("./").partition("::")
    try:
        source = sources[path]
    except KeyError as error:
        raise EditFailed(f"{path!r} is no file of the repository that may be changed.") from error
    if block["function"] is not None:
        return _function_edit(path, name, block["function"], source)
    return _line_edit(path, block["search"], block["replace"], source)


def _line_edit(path: str, search: str, replace: str, source: SourceFile) -> Edit:
    search, replace = (_with_newlines(text, source.newline) for text in (search, replace))
    if not search.strip():
        raise EditFailed(f"the SEARCH part for {path} is empty; quote the lines to replace.")
    starts = _line_starts(source.text, search)
    if not starts and source.text.endswith(search.removesuffix(source.newline)):
        # The file's last line, which has no line end.
        search, replace = (text.removesuffix(source.newline) for text in (search, replace))
        starts = _line_starts(source.text, search)
    if not starts:
        raise EditFailed(f"{path} has no such lines. The nearest are:\n{_nearest(source.text, search)}")
    if len(starts) > 1:
        lines = ", ".join(str(source.text.count("\n", 0, start) + 1) for start in starts[:5])
        raise EditFailed(f"these lines occur {len(starts)} times in {path}, at lines {lines}; quote more.")
    return Edit(path=path, start=starts[0], end=starts[0] + len(search), text=replace)


def _line_starts(text: str, wanted: str) -> list[int]:
    """The offsets at which `wanted` stands as whole lines."""
    found = []
    at = text.find(wanted)
    while at >= 0:
        if at == 0 or text[at - 1] in "\r\n":
            found.append(at)
        at = text.find(wanted, at + 1)
    return found


def _nearest(text: str, wanted: str) -> str:
    lines, sought = lines_of(text), wanted.splitlines()
    first = next((line.strip() for line in sought if line.strip()), "")
    ratios = [difflib.SequenceMatcher(None, line.strip(), first).quick_ratio() for line in lines[:5000]]
    best = max(range(len(ratios)), key=lambda i: ratios[i], default=0)
    shown = range(max(0, best - 2), min(len(lines), best + SHOWN_LINES))
    return "\n".join(f"{number + 1:>5}  {lines[number]}" for number in shown)


def _function_edit(path: str, name: str, code: str, source: SourceFile) -> Edit:
    if not name:
        raise EditFailed(f"name the function after the path: {path}::function")
    module = parse_module(path, source.text)
    places = _definitions(module, name)
    if len(places) != 1:
        known = sorted(set(module.functions_by_line().values()) - {""})
        close = difflib.get_close_matches(name, known, n=3) or known[:10]
        times = "no function" if not places else f"{len(places)} functions"
        raise EditFailed(f"{path} has {times} {name!r}. It has: {', '.join(close)}.")
    start, end = places[0]
    column = start - (max(source.text.rfind("\n", 0, start), source.text.rfind("\r", 0, start)) + 1)
    indent = source.text[start - column : start]
    text = _indented(_with_newlines(code, source.newline).rstrip(), indent, source.newline)
    return Edit(path=path, start=start, end=end, text=text)


def _definitions(module: Module, name: str) -> list[tuple[int, int]]:
    """Where the functions of a qualified name stand, with their decorators."""
    from treemend.tools.syntax import functions_of

    found = []
    for qualified, node in functions_of(module.root):
        if qualified == name:
            above = node.parent
            whole = above if above is not None and above.type == "decorated_definition" else node
            found.append((module.start(whole), module.end(whole)))
    return found


def _indented(code: str, indent: str, newline: str) -> str:
    lines = code.split(newline)
    first = next((line for line in lines if line.strip()), "")
    own = first[: len(first) - len(first.lstrip())]
    moved = [indent + line.removeprefix(own) if line.strip() else line for line in lines]
    return newline.join(moved).strip("\r\n").removeprefix(indent)


def _with_newlines(text: str, newline: str) -> str:
    return re.sub(r"\r\n|\r|\n", lambda match: newline, text)


def _check(path: str, edits: Sequence[Edit], source: SourceFile) -> None:
    """Whether the edits go together, can be written in the file's encoding, and leave Python after each of
    them, in an order that is looked for (LintSeq, 2024: every prefix of a patch lints)."""
    try:
        text = apply_edits(source.text, sorted(edits, key=lambda edit: edit.start))
        source.encode(text)
    except ValueError as error:
        raise EditFailed(f"blocks for {path} overlap; join them.") from error
    except NotEditable as error:
        raise EditFailed(f"{path}: {error}.") from error
    if parse_module(path, source.text).has_errors:
        return
    if _is_broken(path, text):
        raise EditFailed(f"{path} is no Python any more:\n{_broken_lines(path, text)}")
    left = _steps_that_parse(path, edits, source)
    if left:
        line = source.text.count("\n", 0, left[0].start) + 1
        raise EditFailed(
            f"{path}: the block at line {line} leaves no Python without the others; "
            "join what belongs together into one block."
        )


def _steps_that_parse(path: str, edits: Sequence[Edit], source: SourceFile) -> list[Edit]:
    """The edits that can't be made one after the other with Python after each; [] where all can."""
    made: list[Edit] = []
    left = list(edits)
    while left:
        for edit in left:
            steps = sorted([*made, edit], key=lambda one: one.start)
            if not _is_broken(path, apply_edits(source.text, steps)):
                made.append(edit)
                left.remove(edit)
                break
        else:
            return left
    return []


def _is_broken(path: str, text: str) -> bool:
    return next(_errors(path, text), None) is not None


def _errors(path: str, text: str) -> Iterator[int]:
    """The lines at which a text stops being Python; compiled where it can be, for a parser that recovers
    lets much pass."""
    try:
        compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        yield error.lineno or 1
    except (ValueError, RecursionError, MemoryError, OverflowError):
        if parse_module(path, text).has_errors:
            yield 1


def _broken_lines(path: str, text: str) -> str:
    line = next(_errors(path, text), 1)
    lines = lines_of(text)
    shown = range(max(0, line - 4), min(len(lines), line + 3))
    return "\n".join(f"{number + 1:>5}  {lines[number]}" for number in shown)
