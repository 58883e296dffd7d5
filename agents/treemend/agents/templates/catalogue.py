"""All fix templates, and what they make of suspicious lines.

Frequencies are thousands of the one-statement fixes of CTSSB-1M where the study has the class: another
identifier 69 (wrong-variable), another operand 48 (wrong-operand), an argument more 41 (missing-argument,
and what the wrapping templates share of it) or less 14 (surplus-argument), another function 39
(wrong-call), number 33 (wrong-number), call around 32 (missing-call, missing-bound), attribute 30
(wrong-attribute), method call 17 (missing-method-call), narrower condition 16 (condition-too-wide),
elements 15 (wrong-elements, wrong-empty), boolean 13 (wrong-boolean), attribute more 10
(missing-attribute), binary operator 9 (arithmetic-operator), other receiver 8 (wrong-receiver), wider
condition 5 (condition-too-narrow), unary 4 (unary-operator), swapped arguments 2 (swapped-arguments).
What the study leaves outside its classes, a third of all, is off by one, missing base cases, comparisons,
and statements lost, moved or too many: these were set by hand, as were the small values of the rest.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType

from treemend.agents.templates import (
    accumulators,
    arguments,
    branches,
    calls,
    conditions,
    exceptions,
    guards,
    insertions,
    literals,
    loops,
    names,
    objects,
    off_by_one,
    operands,
    operators,
    statements,
    strings,
    wrapping,
)
from treemend.agents.templates.drafts import Key, canonical, is_ordered, is_python
from treemend.agents.templates.ingredients import Ingredients, gather
from treemend.agents.templates.site import Draft, Site, Template, make_site
from treemend.store.records import Edit, Place
from treemend.tools.scope import ScopeIndex
from treemend.tools.syntax import Module, Statement

TEMPLATES: tuple[Template, ...] = (
    *operators.TEMPLATES,
    *off_by_one.TEMPLATES,
    *names.TEMPLATES,
    *operands.TEMPLATES,
    *conditions.TEMPLATES,
    *branches.TEMPLATES,
    *guards.TEMPLATES,
    *literals.TEMPLATES,
    *strings.TEMPLATES,
    *arguments.TEMPLATES,
    *calls.TEMPLATES,
    *wrapping.TEMPLATES,
    *loops.TEMPLATES,
    *accumulators.TEMPLATES,
    *objects.TEMPLATES,
    *exceptions.TEMPLATES,
    *statements.TEMPLATES,
    *insertions.TEMPLATES,
)
BY_FREQUENCY = tuple(sorted(TEMPLATES, key=lambda template: -template.frequency))
FREQUENCIES: Mapping[str, float] = MappingProxyType({t.name: t.frequency for t in TEMPLATES})
SIBLING_ATTRIBUTES_MAX = 12
CHANGES_MAX, SITE_CHANGES_MIN = 6000, 30
PARSED_CHARS_MAX = 1_500_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a template makes of a statement.

    Attributes:
        fault: What may be wrong there, in a sentence.
        remedy: The change, in a sentence.
        edits: Against the module's text, in order; they don't overlap.
        weight: How plausible it is among the changes of its template, of which the mean is 1.
    """

    template: str
    place: Place
    fault: str
    remedy: str
    edits: tuple[Edit, ...]
    weight: float = 1.0


def changes(
    module: Module,
    lines: Collection[int],
    siblings: Sequence[Module] = (),
    templates: Sequence[Template] = BY_FREQUENCY,
) -> list[Change]:
    """All changes of all templates on statements that touch these lines, in a fixed order.

    Changes that give the same text are made once, by the template to which they are likeliest; one that
    gives no Python, or what is there already, is left out. Of many statements, each gives its likeliest
    changes only: about `CHANGES_MAX` in all.
    """
    sites = _sites(module, frozenset(lines), siblings)
    per_site_max = max(SITE_CHANGES_MIN, CHANGES_MAX // max(1, len(sites)))
    found: dict[Key, list[Change]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of code that is tried, not of ours
        for site in sites:
            for template, draft in _likeliest(_drafts(site, templates), _limit(site, per_site_max)):
                edits = tuple(sorted(draft.edits, key=lambda edit: edit.start))
                key = canonical(module, edits) if is_ordered(edits) else None
                if key is not None and (key in found or is_python(site, edits)):
                    change = _change(template, site.statement, draft, edits, module.path)
                    found.setdefault(key, []).append(change)
    return _levelled(_without_duplicates(list(found.values())))


def _without_duplicates(groups: list[list[Change]]) -> list[Change]:
    """Of changes that give the same text, the one that is likeliest to its template."""
    totals: dict[str, float] = {}
    for change in chain.from_iterable(groups):
        totals[change.template] = totals.get(change.template, 0.0) + change.weight

    def likelihood(change: Change) -> float:
        return FREQUENCIES[change.template] * change.weight / totals[change.template]

    return [max(group, key=likelihood) for group in groups]


def _sites(module: Module, wanted: frozenset[int], siblings: Sequence[Module]) -> list[Site]:
    index = ScopeIndex(module)
    others = _attribute_names(siblings)
    gathered: dict[int, Ingredients] = {}
    found: list[Site] = []
    for statement in module.statements:
        touched = not wanted.isdisjoint(range(statement.line, statement.end_line + 1))
        if touched and not _is_docstring(statement):
            root = statement.definition or module.root
            if root.id not in gathered:
                gathered[root.id] = gather(module, root)
            scope, ingredients = index.at(statement), gathered[root.id]
            found.append(make_site(module, statement, scope, ingredients, others, wanted))
    return found


Drafts = list[tuple[Template, Draft]]


def _drafts(site: Site, templates: Sequence[Template]) -> Drafts:
    return [(template, draft) for template in templates for draft in template.make(site)]


def _limit(site: Site, count_max: int) -> int:
    """How many changes of a statement are tried: fewer of a huge one, whose every change is parsed."""
    if site.statement.is_compound:
        return count_max
    chars = site.module.end(site.node) - site.module.start(site.node)
    return max(SITE_CHANGES_MIN, min(count_max, PARSED_CHARS_MAX // max(1, chars)))


def _likeliest(drafts: Drafts, count_max: int) -> Drafts:
    """The likeliest drafts of a site, by frequency and weight among their template's; order is kept."""
    if len(drafts) <= count_max:
        return drafts
    totals: dict[str, float] = {}
    for template, draft in drafts:
        totals[template.name] = totals.get(template.name, 0.0) + draft.weight
    shares = [t.frequency * draft.weight / totals[t.name] for t, draft in drafts]
    kept = sorted(range(len(drafts)), key=lambda number: -shares[number])[:count_max]
    return [drafts[number] for number in sorted(kept)]


def _change(
    template: Template, statement: Statement, draft: Draft, edits: tuple[Edit, ...], path: str
) -> Change:
    place = Place(path=path, line=statement.line, end_line=statement.end_line, function=statement.function)
    return Change(template.name, place, draft.fault, draft.remedy, edits, draft.weight)


def _levelled(found: list[Change]) -> list[Change]:
    """The changes with weights whose mean is 1 in each template."""
    totals: dict[str, float] = {}
    for change in found:
        totals[change.template] = totals.get(change.template, 0.0) + change.weight
    counts = Counter(change.template for change in found)
    means = {name: total / counts[name] for name, total in totals.items()}
    return [replace(change, weight=change.weight / means[change.template]) for change in found]


def _is_docstring(statement: Statement) -> bool:
    children = statement.node.named_children
    simple = statement.node.type == "expression_statement" and len(children) == 1
    return simple and children[0].type in ("string", "concatenated_string")


def _attribute_names(siblings: Sequence[Module]) -> tuple[str, ...]:
    """Attributes that the classes of neighbouring files give their objects."""
    given = (m.group(1) for module in siblings for m in OWN_ATTRIBUTE.finditer(module.text))
    return tuple(dict.fromkeys(given))[:SIBLING_ATTRIBUTES_MAX]


OWN_ATTRIBUTE = re.compile(r"\bself\.(\w+) *(?::[^=\n]*)?=[^=]")
