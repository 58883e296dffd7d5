"""What a text names outright: functions, classes, files, frames. Each a map from rows to strengths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from treemend.tools.index.words import STOP_WORDS
from treemend.tools.localization.cues import Cues, Said, TextFrame
from treemend.tools.localization.graph import ancestors
from treemend.tools.localization.units import File, Units, owner_name

_COMMON_MAX = 40
_KEYWORDS = (
    "abstract assert async await begin bool boolean break case catch char class const constructor "
    "continue def default defer del delete elif else elsif end enum except extends extern false final "
    "finally float fn func function global goto impl implements import include inline instanceof int "
    "interface internal lambda let long match mod module mut namespace new nil none null nonlocal "
    "override package pass private protected pub public raise readonly return self short signed sizeof "
    "static str string struct super switch template throw throws trait true try type typedef typeof "
    "undefined union unless unsigned use using val var virtual void volatile while with yield"
)
"""Words of some language; in prose they mean a thing more often than a function of that name."""
_NO_NAMES = STOP_WORDS.union(_KEYWORDS.split())
_CODE = Said.CODE | Said.INLINE | Said.CALLED | Said.DOTTED
Rows = dict[int, float]


@dataclass
class Mentions:
    """Strengths by the rows of functions, types (`owner_*`, `inherited`, `overridden`) and files."""

    name_title: Rows = field(default_factory=dict)
    name_prose: Rows = field(default_factory=dict)
    name_inline: Rows = field(default_factory=dict)
    name_called: Rows = field(default_factory=dict)
    name_code: Rows = field(default_factory=dict)
    name_keyword: Rows = field(default_factory=dict)
    qualified: Rows = field(default_factory=dict)
    owner_title: Rows = field(default_factory=dict)
    owner_prose: Rows = field(default_factory=dict)
    owner_code: Rows = field(default_factory=dict)
    inherited: Rows = field(default_factory=dict)
    overridden: Rows = field(default_factory=dict)
    module: Rows = field(default_factory=dict)
    path: Rows = field(default_factory=dict)
    frame: Rows = field(default_factory=dict)
    frame_inner: Rows = field(default_factory=dict)
    frame_file: Rows = field(default_factory=dict)
    inherited_by: dict[int, str] = field(default_factory=dict)
    """The type that is named with a function that it inherits."""
    frame_paths: dict[TextFrame, list[str]] = field(default_factory=dict)


def find_mentions(cues: Cues, units: Units) -> Mentions:
    """All that the text names and the index has."""
    found = Mentions()
    _names(cues, units, found)
    _owners(cues, units, found)
    _dotted(cues, units, found)
    files = _Files(units.files.values())
    for path in cues.paths:
        _add_path(path, files, found.path)
    _frames(cues.frames, files, units, found)
    return found


def _names(cues: Cues, units: Units, found: Mentions) -> None:
    kinds = (
        (Said.TITLE, found.name_title),
        (Said.PROSE, found.name_prose),
        (Said.INLINE, found.name_inline),
        (Said.CALLED, found.name_called),
        (Said.CODE, found.name_code),
        (Said.KEYWORD, found.name_keyword),
    )
    for name, said in cues.identifiers.items():
        named = units.functions_named.get(name)
        if not named or said & Said.DEFINED:
            continue
        if not said & _CODE and not is_spelled_as_code(name):
            # A word of prose that is a function's name, too.
            if len(named) > 3 or name in _NO_NAMES:
                continue
            strength = 0.5 / len(named)
        else:
            strength = len(named) ** -0.5
        if len(named) > _COMMON_MAX and not is_spelled_as_code(name):
            continue
        for how, rows in kinds:
            if said & how:
                for unit in named:
                    rows[unit.id] = max(rows.get(unit.id, 0.0), strength)


def is_spelled_as_code(name: str) -> bool:
    """Whether no word of prose is spelled so: with an underscore, a digit, or case inside."""
    inner = name.strip("_")
    return "_" in name or any(letter.isdigit() for letter in inner) or inner[1:] != inner[1:].lower()


def _owners(cues: Cues, units: Units, found: Mentions) -> None:
    direct: Rows = {}
    kinds = (
        (Said.TITLE, found.owner_title),
        (Said.PROSE, found.owner_prose),
        (Said.CODE | Said.INLINE, found.owner_code),
    )
    for name, said in cues.identifiers.items():
        named = units.classes_named.get(name, ())
        strength = _strength_of_type(name, said, len(named))
        if not strength:
            continue
        for rows in (direct, *(rows for how, rows in kinds if said & how)):
            for unit in named:
                rows[unit.id] = max(rows.get(unit.id, 0.0), strength)
    for row, strength in direct.items():
        for base, distance in ancestors(units, row).items():
            found.inherited[base] = max(found.inherited.get(base, 0.0), strength / distance)
        for below in units.subclasses.get(units.by_id[row].name, ())[:_COMMON_MAX]:
            found.overridden[below] = max(found.overridden.get(below, 0.0), strength)


def _strength_of_type(name: str, said: Said, count: int) -> float:
    """How surely a type of this name is meant: less with many of them, not at all as a word of prose."""
    if not count or said & Said.DEFINED:
        return 0.0
    if said & _CODE or is_spelled_as_code(name):
        return float(count**-0.5)
    return 0.5 * float(count**-0.5) if name[:1].isupper() else 0.0


def _dotted(cues: Cues, units: Units, found: Mentions) -> None:
    """Names with their class or module before them, and modules by their dotted names."""
    modules: dict[str, list[int]] = defaultdict(list)
    for file in units.files.values():
        modules[_module_tail(file.path)].append(file.id)
    for name in cues.dotted:
        parts = name.split(".")
        for owner, last in pairwise(parts):
            for unit in units.functions_named.get(last, ()):
                if owner_name(unit) == owner:
                    found.qualified[unit.id] = 1.0
            _inherited(owner, last, units, found)
        _module(parts, modules, units, found)


def _module(parts: list[str], modules: dict[str, list[int]], units: Units, found: Mentions) -> None:
    """The longest beginning of a dotted name that is a module, and the function behind it."""
    for end in range(len(parts), 1, -1):
        above = ".".join(parts[:end])
        named = modules.get(parts[end - 1], [])
        matching = [row for row in named if _dotted_path(units.files[row].path).endswith(above)]
        following = {".".join(parts[end : end + count]) for count in (1, 2)} - {""}
        for row in matching:
            found.module[row] = max(found.module.get(row, 0.0), len(matching) ** -0.5)
            for unit in units.functions_in.get(row, ()):
                if unit.qualified in following:
                    found.qualified[unit.id] = 1.0
        if matching:
            return


def _inherited(owner: str, name: str, units: Units, found: Mentions) -> None:
    """`Sub.name` means the nearest base's where the subclass doesn't define it."""
    for one in units.classes_named.get(owner, ())[:_COMMON_MAX]:
        if any(member.name == name for member in units.members.get(one.id, ())):
            continue
        for base in ancestors(units, one.id):
            defined = [member for member in units.members.get(base, ()) if member.name == name]
            for member in defined:
                found.qualified.setdefault(member.id, 0.9)
                found.inherited_by.setdefault(member.id, owner)
            if defined:
                break


def _dotted_path(path: str) -> str:
    stem = path.rpartition(".")[0].replace("/", ".")
    return stem.removesuffix(".__init__")


def _module_tail(path: str) -> str:
    return _dotted_path(path).rpartition(".")[2]


class _Files:
    """Files by their names, for paths of another machine."""

    def __init__(self, files: Iterable[File]) -> None:
        self._named: dict[str, list[File]] = defaultdict(list)
        for file in files:
            self._named[file.path.rpartition("/")[2]].append(file)

    def matching(self, path: str) -> tuple[list[File], int]:
        """The files that share the longest tail with a path, and how many parts that is."""
        wanted = path.split("/")
        best: list[File] = []
        longest = 0
        for file in self._named.get(wanted[-1], ()):
            parts = file.path.split("/")
            shared = 0
            while shared < min(len(parts), len(wanted)) and parts[-1 - shared] == wanted[-1 - shared]:
                shared += 1
            if shared > longest:
                best, longest = [file], shared
            elif shared == longest:
                best.append(file)
        return best, longest


def _add_path(path: str, files: _Files, rows: Rows) -> None:
    matching, shared = files.matching(path)
    if shared == 1 and len(matching) > 3:
        return
    for file in matching:
        rows[file.id] = max(rows.get(file.id, 0.0), 1.0 / len(matching))


def _frames(frames: tuple[TextFrame, ...], files: _Files, units: Units, found: Mentions) -> None:
    place = 0
    for frame in reversed(frames):
        matching, shared = files.matching(frame.path)
        if not matching or (shared < 2 and len(matching) > 1):
            continue
        place += 1
        found.frame_paths[frame] = [file.path for file in matching]
        for file in matching:
            strength = 1.0 / place
            found.frame_file[file.id] = max(found.frame_file.get(file.id, 0.0), strength)
            for unit in units.functions_in.get(file.id, ()):
                if frame.function == unit.name or (
                    not frame.function and unit.top_line <= frame.line <= unit.end_line
                ):
                    exact = unit.top_line <= frame.line <= unit.end_line
                    best = strength if exact else 0.8 * strength
                    found.frame[unit.id] = max(found.frame.get(unit.id, 0.0), best)
                    if place == 1:
                        found.frame_inner[unit.id] = 1.0
