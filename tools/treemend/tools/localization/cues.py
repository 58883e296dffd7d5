"""What a symptom's text says, taken apart: an issue is not one query.

Title, prose and code are separate bags of words; frames, paths, dotted names and single identifiers are
cues of their own. Pure: text in, `Cues` out.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntFlag, auto

TEXT_CHARS_MAX = 65_536
_FRAMES_MAX = 400
_TRACE_CHARS_MAX = 2_000_000
_LINE_CHARS_MAX = 2_000
_TITLE_CHARS_MAX = 300


class Said(IntFlag):
    """Where and how an identifier stands in a symptom's text."""

    TITLE = auto()
    PROSE = auto()
    CODE = auto()
    INLINE = auto()
    CALLED = auto()
    DOTTED = auto()
    KEYWORD = auto()
    DEFINED = auto()
    """The code of the issue defines it: a name of the reporter's own."""


@dataclass(frozen=True, slots=True)
class TextFrame:
    """A stack frame as the text has it; its path may be that of another machine. `line` is 0 if unknown."""

    path: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Cues:
    """The parts of a symptom's text.

    Attributes:
        frames: The innermost of a trace is its last, whatever the language.
        paths: Source files that the text names, with "/".
        dotted: Names with dots as written, aliases of the issue's own imports resolved.
        identifiers: How each identifier is said, and `counts` how often.
        errors: Names of exceptions.
    """

    title: str
    prose: str
    code: str
    frames: tuple[TextFrame, ...]
    paths: tuple[str, ...]
    dotted: tuple[str, ...]
    identifiers: dict[str, Said]
    counts: dict[str, int]
    errors: tuple[str, ...]


_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_INVISIBLE = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\u00ad]")
_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_CHECK_LIST = re.compile(r"\s*[-*] \[[ xX]\] ")
_MODIFIED_BY = re.compile(r"\s*\(last modified by .*\)\s*")
_PROMPT = re.compile(r"\s*(?:>>>|\.\.\.|In ?\[\d*\]:|Out ?\[\d*\]:)(?:\s|$)")
_CODE_LINE = re.compile(
    r"\s*(?:(?:async )?def \w+ ?\(|class \w+\s*[(:]|@[\w.]+|import \w|from [\w.]+ import\b|return\b"
    r"|(?:if|for|while|with|elif|try|except|else)\b.*:\s*$|(?:raise|assert|yield|del) \S"
    r"|[\w.\[\]'\", ]+ ?[+*/|&-]?= ?\S|[\w.]+\(.*\)[;:,]?\s*$|[\])}]+[,)]*\s*$"
    r"|[+-] {2,}\S|@@ .* @@|diff --git )"
)
_PYTHON_FRAME = re.compile(r'\s*File "([^"\n]+)", line (\d{1,7})(?:, in ([^\s(]+))?')
_PYTEST_FRAME = re.compile(r"\s*((?:[A-Za-z]:)?[\w~./\\@+-]+\.pyx?):(\d{1,7}):(?: in (\w+))?")
_NOTEBOOK_FRAME = re.compile(r"\s*([\w~./\\@:+<>-]+\.pyx?) in ([\w.<>]+)(?:\(|$)")
_JAVA_FRAME = re.compile(r"\s*at ([\w.$<>]+)\(([\w.-]+\.\w+):(\d{1,7})\)")
_SCRIPT_FRAME = re.compile(
    r"\s*at (?:(?:async |new )?([\w.$<>\[\]]+) )?\(?((?:file://)?[^\s()]+?\.\w+):(\d{1,7}):\d+\)?"
)
_COLON_FRAME = re.compile(
    r"\s*(?:from |at |\d+: +)?((?:[A-Za-z]:)?[\w~./\\@+-]+\.(?:rs|go|rb|c|cc|cpp|h|hpp|cs|php|ts|js|java))"
    r":(\d{1,7})"
    r"(?::\d+)?(?::in [`'](?:[\w:# ]+[.#])?([\w?!]+)')?"
)
_SHARP_FRAME = re.compile(r"\s*at ([\w.`<>\[\], ]+)\(.*\) in (\S.*?):line (\d{1,7})")
_PHP_FRAME = re.compile(r"\s*#\d+ (\S.*?)\((\d{1,7})\): ([\w\\:>-]+)\(")
_GDB_FRAME = re.compile(r"\s*#\d+ +(?:0x[0-9a-f]+ in )?([\w:~]+) ?.*?(?:at |\s)(\S+\.\w+):(\d{1,7})")
_PATH = re.compile(
    r"(?:[A-Za-z]:)?[\w~.@+-]*(?:[/\\][\w.@+-]+)*[\w@+-]"
    r"\.(?:pyx?|pyi|js|jsx|mjs|cjs|ts|tsx|java|go|rs|c|cc|cpp|h|hpp|cs|rb|php)\b"
)
_INLINE = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]{1,200})\1(?!`)")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->|#)[A-Za-z_]\w*)+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_CALLED = re.compile(r"([A-Za-z_]\w*) ?\(")
_KEYWORD = re.compile(r"[(,]\s*([A-Za-z_]\w*) ?=(?!=)")
_DEFINED = re.compile(r"^\s*(?:>>> |\.\.\. )?(?:async )?(?:def|class) ([A-Za-z_]\w*)", re.MULTILINE)
_ERROR = re.compile(r"\b([A-Za-z_]*(?:Error|Exception|Warning|DoesNotExist|Failure))\b")
_IMPORT_AS = re.compile(r"^\W*(?:\d+\W+)?import ([\w.]+) as (\w+)", re.MULTILINE)
_FROM_IMPORT = re.compile(r"^\W*(?:\d+\W+)?from ([\w.]+) import \(?([\w, ]+)", re.MULTILINE)
_VERSIONS = re.compile(
    r"\s*[\w.\- ]{2,30}\s*[:=]+\s*v?\d+\.\d+[\w.+-]*\s*$|\s*\w[\w.-]*(?:==|\s+)\d+\.\d+[\w.+-]*\s*$"
)
_COUNTED_SEPARATORS = re.compile(r"::|->|#")


def read_cues(text: str) -> Cues:
    """Take a text apart. Of a long one the title, frames and the first 64 thousand characters count."""
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))
    frames = tuple(_frames(text))
    text = _shortened(_COMMENT.sub("\n", text))
    title, body = _title_of(text)
    prose_lines, code_lines = _divided(body.split("\n"))
    prose_text = "\n".join(prose_lines)
    inline = [match[2] for match in _INLINE.finditer(f"{title}\n{prose_text}")]
    code = "\n".join(code_lines)
    aliases = dict(_aliases(code))
    whole = f"{title}\n{prose_text}\n{code}"
    dotted = [_unaliased(_COUNTED_SEPARATORS.sub(".", name), aliases) for name in _DOTTED.findall(whole)]
    dotted += aliases.values()
    said = _said(title, prose_text, code, "\n".join(inline))
    return Cues(
        title,
        prose_text,
        code,
        frames,
        tuple(dict.fromkeys(match[0].replace("\\", "/") for match in _PATH.finditer(whole))),
        tuple(dict.fromkeys(dotted)),
        said,
        dict(Counter(_IDENTIFIER.findall(whole))),
        tuple(dict.fromkeys(_ERROR.findall(whole))),
    )


def _shortened(text: str) -> str:
    if len(text) <= TEXT_CHARS_MAX:
        return text
    # What a log ends with says what went wrong; what it begins with, what was asked.
    half = TEXT_CHARS_MAX // 2
    return f"{text[:half]}\n{text[-half:]}"


def _title_of(text: str) -> tuple[str, str]:
    stripped = text.lstrip("\n \t")
    title, _, body = stripped.partition("\n")
    if len(title) > _TITLE_CHARS_MAX or _PYTHON_FRAME.match(title) or title.startswith("Traceback"):
        return "", stripped
    return title, body


def _divided(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """Lines of prose, and lines of code, output and traces."""
    prose: list[str] = []
    code: list[str] = []
    fence = ""
    for line in lines:
        line = line[:_LINE_CHARS_MAX]
        if match := _FENCE.match(line):
            fence = "" if fence and match[1].startswith(fence) else fence or match[1]
            continue
        if _VERSIONS.match(line):
            continue
        if fence or _looks_like_code(line):
            code.append(line)
        elif not _CHECK_LIST.match(line) and not _MODIFIED_BY.fullmatch(line):
            prose.append(line)
    return prose, code


def _looks_like_code(line: str) -> bool:
    if line.startswith(("    ", "\t")) and not line.lstrip().startswith(("- ", "* ", "(last modified")):
        return bool(line.strip())
    return bool(_PROMPT.match(line) or _CODE_LINE.match(line) or _PYTHON_FRAME.match(line))


def _frames(text: str) -> Iterator[TextFrame]:
    found: deque[TextFrame] = deque(maxlen=_FRAMES_MAX)
    innermost_first: list[TextFrame] = []
    for line in text[-_TRACE_CHARS_MAX:].split("\n"):
        if len(line) > _LINE_CHARS_MAX or not any(mark in line for mark in ".#"):
            frame = inner = None
        else:
            frame = _frame_of_python(line)
            inner = None if frame else _frame(line)
        if inner:
            innermost_first.append(inner)
        elif innermost_first:
            found.extend(reversed(innermost_first))
            innermost_first = []
        if frame:
            found.append(frame)
    found.extend(reversed(innermost_first))
    return iter(found)


def _frame_of_python(line: str) -> TextFrame | None:
    if match := _PYTHON_FRAME.match(line) or _PYTEST_FRAME.match(line):
        return _text_frame(match[1], match[2], match[3])
    if match := _NOTEBOOK_FRAME.match(line):
        return _text_frame(match[1], "0", match[2])
    return None


def _frame(line: str) -> TextFrame | None:
    """A frame of a language whose traces begin with the innermost one."""
    if match := _JAVA_FRAME.match(line):
        owner, _, name = match[1].rpartition(".")
        folder = owner.rpartition(".")[0].replace(".", "/")
        return _text_frame(f"{folder}/{match[2]}" if folder else match[2], match[3], name)
    if match := _SHARP_FRAME.match(line):
        return _text_frame(match[2], match[3], match[1].rpartition(".")[2])
    if match := _SCRIPT_FRAME.match(line):
        return _text_frame(match[2], match[3], (match[1] or "").rpartition(".")[2])
    if match := _PHP_FRAME.match(line):
        return _text_frame(match[1], match[2], re.split(r"::|->|\\", match[3])[-1])
    if match := _GDB_FRAME.match(line):
        return _text_frame(match[2], match[3], match[1].rpartition("::")[2])
    if match := _COLON_FRAME.match(line):
        return _text_frame(match[1], match[2], match[3])
    return None


def _text_frame(path: str, line: str, function: str | None) -> TextFrame:
    return TextFrame(path.replace("\\", "/"), int(line), (function or "").rpartition(".")[2])


def _aliases(code: str) -> Iterator[tuple[str, str]]:
    """The names that the issue's own imports bind, with what they stand for."""
    for match in _IMPORT_AS.finditer(code):
        yield match[2], match[1]
    for match in _FROM_IMPORT.finditer(code):
        for item in match[2].split(","):
            name, _, alias = item.strip().partition(" as ")
            if name:
                yield alias.strip() or name, f"{match[1]}.{name}"


def _unaliased(name: str, aliases: dict[str, str]) -> str:
    head, dot, rest = name.partition(".")
    return f"{aliases[head]}{dot}{rest}" if head in aliases else name


def _said(title: str, prose: str, code: str, inline: str) -> dict[str, Said]:
    said: dict[str, Said] = {}

    def note(names: Iterable[str], how: Said) -> None:
        for name in names:
            said[name] = said.get(name, Said(0)) | how

    note(_IDENTIFIER.findall(title), Said.TITLE)
    note(_IDENTIFIER.findall(prose), Said.PROSE)
    note(_IDENTIFIER.findall(code), Said.CODE)
    note(_IDENTIFIER.findall(inline), Said.INLINE)
    whole = f"{title}\n{prose}\n{code}"
    note(_CALLED.findall(whole), Said.CALLED)
    note(_KEYWORD.findall(whole), Said.KEYWORD)
    note(_DEFINED.findall(code), Said.DEFINED)
    for name in _DOTTED.findall(whole):
        note(_IDENTIFIER.findall(name), Said.DOTTED)
    return said
