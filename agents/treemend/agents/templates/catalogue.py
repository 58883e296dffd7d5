"""All fix templates, and what they make of suspicious lines.

Frequencies are thousands among the one-statement fixes of CTSSB-1M where the study has the class
(another identifier 69, another operand 48, an argument more 41 or less 14, another function 39,
number 33, call around 32, attribute 30, method call 17, narrower condition 16, boolean 13, attribute
more 10, binary operator 9, wider condition 5, unary 4, swapped arguments 2). What the study leaves
outside its classes, a third of all, has values set by hand: off by one, missing base cases, and
statements that are lost, moved or too many lead there.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from treemend.agents.templates import (
    arguments,
    calls,
    conditions,
    guards,
    literals,
    loops,
    names,
    objects,
    off_by_one,
    operands,
    operators,
    statements,
)
from treemend.agents.templates.site import Draft, Site, Template
from treemend.store.records import Edit, Place
from treemend.tools.scope import ScopeIndex
from treemend.tools.syntax import Module, Statement

TEMPLATES: tuple[Template, ...] = (
    *operators.TEMPLATES,
    *off_by_one.TEMPLATES,
    *names.TEMPLATES,
    *operands.TEMPLATES,
    *conditions.TEMPLATES,
    *guards.TEMPLATES,
    *literals.TEMPLATES,
    *arguments.TEMPLATES,
    *calls.TEMPLATES,
    *loops.TEMPLATES,
    *objects.TEMPLATES,
    *statements.TEMPLATES,
)

FREQUENCIES: Mapping[str, float] = MappingProxyType({t.name: t.frequency for t in TEMPLATES})


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a template makes of a statement.

    Attributes:
        fault: What may be wrong there, in a sentence.
        remedy: The change, in a sentence.
        edits: Against the module's text; they don't overlap.
        weight: How plausible it is among the changes of its template.
    """

    template: str
    place: Place
    fault: str
    remedy: str
    edits: tuple[Edit, ...]
    weight: float


def changes(module: Module, lines: Collection[int], siblings: Sequence[Module] = ()) -> list[Change]:
    """All changes of all templates on statements that touch these lines, in a fixed order.

    Changes that give the same text are made once, by the template that people use most; one that gives no
    Python is left out.
    """
    index = ScopeIndex(module)
    others = _attribute_names(siblings)
    wanted = frozenset(lines)
    seen: set[tuple[Edit, ...]] = set()
    found: list[Change] = []
    for statement in module.statements:
        if wanted.isdisjoint(range(statement.line, statement.end_line + 1)) or _is_docstring(statement):
            continue
        site = Site(module, statement, index.at(statement), others)
        for template, draft in _drafts(site):
            edits = tuple(sorted(draft.edits, key=lambda edit: edit.start))
            if edits not in seen and _parses(site, edits):
                seen.add(edits)
                found.append(_change(template, statement, draft, edits, module.path))
    return found


BY_FREQUENCY = tuple(sorted(TEMPLATES, key=lambda template: -template.frequency))


def _drafts(site: Site) -> Iterator[tuple[Template, Draft]]:
    for template in BY_FREQUENCY:
        for draft in template.make(site):
            yield template, draft


def _change(
    template: Template, statement: Statement, draft: Draft, edits: tuple[Edit, ...], path: str
) -> Change:
    place = Place(path=path, line=statement.line, end_line=statement.end_line, function=statement.function)
    return Change(template.name, place, draft.fault, draft.remedy, edits, draft.weight)


def _is_docstring(statement: Statement) -> bool:
    children = statement.node.named_children
    simple = statement.node.type == "expression_statement" and len(children) == 1
    return simple and children[0].type in ("string", "concatenated_string")


def _attribute_names(siblings: Sequence[Module]) -> tuple[str, ...]:
    """Attributes that the classes of neighbouring files give their objects."""
    names_seen: dict[str, None] = {}
    for module in siblings:
        own = ScopeIndex(module).at_module().attributes.get("self", ())
        names_seen.update(dict.fromkeys(own))
    return tuple(names_seen)[:10]


def _parses(site: Site, edits: Sequence[Edit]) -> bool:
    """Whether what the edits make of the surrounding function (or statement) is Python."""
    scope = site.statement.definition or site.node
    start, end = site.module.start(scope), site.module.end(scope)
    if any(edit.start < start or edit.end > end + 1 for edit in edits):
        start, end = 0, len(site.module.text)
    text = site.module.text
    pieces, at = [], start
    for edit in edits:
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    column = start - (text.rfind("\n", 0, start) + 1)
    code = " " * column + "".join(pieces) + text[at:end]
    try:
        ast.parse(f"if 1:\n{code}" if column else code)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True
