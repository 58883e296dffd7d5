"""What the repository tools answer. Lines and columns count from 1.

Each answer says in `notes` what it left out, and in `suggestions` which names look like one that
isn't there.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Frozen):
    """Where something stands."""

    path: str
    line: int
    column: int = 1


class Answer(_Frozen):
    """What every answer has."""

    found: bool
    notes: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


class Symbol(_Frozen):
    """A definition. `owner` is the class that it is a member of."""

    name: str
    kind: str
    place: Place
    end_line: int
    signature: str
    doc: str = ""
    owner: str = ""


class Member(_Frozen):
    """A member of a class: of its own, or inherited from `owner`.

    `overrides` names the nearest base that has a member of this name, too.
    """

    name: str
    kind: str
    signature: str
    owner: str
    is_inherited: bool
    overrides: str
    place: Place


class Base(_Frozen):
    """A base class as it is written; `place` is None where it is not in the repository."""

    name: str
    place: Place | None


class ClassInformation(_Frozen):
    """A class with all that its objects can do."""

    name: str
    full_name: str
    kind: str
    language: str
    place: Place
    end_line: int
    signature: str
    doc: str
    decorators: tuple[str, ...]
    bases: tuple[Base, ...]
    methods: tuple[Member, ...]
    class_variables: tuple[Member, ...]
    instance_variables: tuple[Member, ...]
    nested: tuple[Symbol, ...]
    subclasses: tuple[Symbol, ...]


class Classes(Answer):
    classes: tuple[ClassInformation, ...] = ()


class Signature(_Frozen):
    """A function or method; `asked_of` is the class that inherits it where that was asked for."""

    name: str
    signature: str
    decorators: tuple[str, ...]
    doc: str
    place: Place
    end_line: int
    owner: str
    asked_of: str


class Signatures(Answer):
    signatures: tuple[Signature, ...] = ()


class Body(Signature):
    """With its source, from its decorators to its end; `is_cut` says that lines are missing."""

    source: str
    first_line: int
    is_cut: bool


class Bodies(Answer):
    bodies: tuple[Body, ...] = ()


class Reference(_Frozen):
    """A place that names a symbol, in `inside`. `certainty` is "sure" where imports or classes show it."""

    place: Place
    inside: str
    use: Literal["call", "name", "attribute", "type", "import"]
    certainty: Literal["sure", "maybe"]
    text: str
    is_test: bool


class References(Answer):
    references: tuple[Reference, ...] = ()


class Call(_Frozen):
    """A function that calls or is called, with the first place where that happens."""

    symbol: Symbol
    place: Place
    count: int
    certainty: Literal["sure", "maybe"]


class Calls(Answer):
    calls: tuple[Call, ...] = ()


class OutlineEntry(_Frozen):
    """A definition of a file; `depth` is how many it lies in."""

    symbol: Symbol
    depth: int


class Outline(Answer):
    path: str = ""
    language: str = ""
    doc: str = ""
    entries: tuple[OutlineEntry, ...] = ()


class ImportCandidate(_Frozen):
    """A statement that would bring a name in, and where it comes from."""

    statement: str
    place: Place


class MissingImport(_Frozen):
    """A name that a file uses and has from nowhere; without candidates the repository hasn't got it."""

    name: str
    place: Place
    candidates: tuple[ImportCandidate, ...]


class MissingImports(Answer):
    path: str = ""
    missing: tuple[MissingImport, ...] = ()


class SliceLine(_Frozen):
    """A line that may decide another; `gives` are the names whose values it gives."""

    place: Place
    inside: str
    text: str
    gives: tuple[str, ...]


class Slice(Answer):
    """The asked line's function from its end to its beginning, then those that it calls."""

    lines: tuple[SliceLine, ...] = ()


class Snippet(_Frozen):
    """A piece of source with what it belongs to."""

    place: Place
    end_line: int
    name: str
    score: float
    source: str


class Snippets(Answer):
    snippets: tuple[Snippet, ...] = ()


class RepositoryMap(Answer):
    """The most referenced definitions as text, of about `tokens` tokens (four characters each)."""

    text: str = ""
    tokens: int = 0
    definitions: int = 0
