"""Missing guards: None, empty, base case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import receivers, values
from treemend.agents.templates.site import Draft, Site, Template, shown, unique, words
from treemend.tools.scope import parameters_of
from treemend.tools.shapes import Shape

if TYPE_CHECKING:
    from tree_sitter import Node

EMPTY: Mapping[Shape | None, Mapping[str, float]] = {
    "list": {"not {}": 1.5, "len({}) <= 1": 0.6, "{} is None": 0.5},
    "string": {"not {}": 1.5, "{} is None": 0.5},
    "dict": {"not {}": 1.5, "{} is None": 0.5},
    "set": {"not {}": 1.5},
    "tuple": {"not {}": 1.0},
    "bool": {"{}": 1.0, "not {}": 1.0},
    "number": {"{} == 0": 1.0, "{} <= 0": 1.0, "{} < 0": 0.7, "{} == 1": 0.6, "{} <= 1": 0.5},
    None: {"{} is None": 1.2, "not {}": 1.5, "len({}) <= 1": 0.2, "len({}) == 1": 0.2},
}
DEFAULTS: Mapping[Shape | None, tuple[str, ...]] = {
    "list": ("[]",),
    "dict": ("{}",),
    "string": ("''",),
    "number": ("0", "1"),
    "set": ("set()",),
    None: ("[]", "{}", "''", "0"),
}
CONVERSIONS: Mapping[Shape | None, tuple[str, ...]] = {
    "list": ("list",),
    "dict": ("dict",),
    "string": ("str",),
    "number": ("int", "float"),
    "set": ("set",),
    "tuple": ("tuple",),
    None: ("list", "str", "int", "float", "tuple", "set", "dict"),
}
RESULTS: Mapping[str, float] = {
    "[]": 0.6,
    "0": 0.6,
    "None": 0.7,
    "False": 0.6,
    "True": 0.5,
    "''": 0.3,
}
CONSTANTS = words("list integer identifier none true false string tuple dictionary attribute")
GUARDS_MAX = 8
RESULTS_MAX = 3


def _subjects(site: Site) -> list[tuple[str, float]]:
    """What may be None or empty at the statement: what it takes parts of, then what it names."""
    found: dict[str, float] = {}
    for receiver in receivers(site, site.node):
        if receiver not in ("self", "cls") and "\n" not in receiver:
            found.setdefault(receiver, 1.5)
    named = {site.text(node) for node in site.nodes("identifier")}
    for name, near in site.variables(8):
        found.setdefault(name.text, near * (1.2 if name.text in named else 0.6))
    for attribute in site.scope.attributes.get("self", ())[:8]:
        if attribute not in site.scope.functions:
            found.setdefault(f"self.{attribute}", 0.5)
    return sorted(found.items(), key=lambda pair: -pair[1])


def _memberships(site: Site) -> list[tuple[str, str, float]]:
    """Cases that a collection decides which nothing reads yet: it was made to be looked into."""
    parts = [t.code for t in site.ingredients.expressions if t.kind == "subscript" and ":" not in t.code]
    parts += [f"{part[:-3]}{other}" for part in parts if part.endswith("[0]") for other in ("[1]", "[-1]")]
    variables = site.variables(8)
    subjects = unique([name.text for name, _ in variables[:3]] + parts[:5])
    return [
        (subject, f"{subject} {operator} {holder.text}", weight)
        for holder, near in variables
        if holder.shape in ("list", "set", "tuple", "dict") and holder.uses <= 1
        for subject in subjects
        if subject != holder.text
        for operator, weight in (("not in", 2.0 * near), ("in", 1.2 * near))
    ]


def _cases(site: Site) -> list[tuple[str, str, float]]:
    """(subject, condition, weight) of the guards that may be missing, likeliest first."""
    found = []
    for subject, weight in _subjects(site):
        shape = site.scope.shape_of(subject)
        for form, usual in EMPTY.get(shape, EMPTY[None]).items():
            found.append((subject, form.format(subject), weight * usual))
    found += _memberships(site)
    return sorted(found, key=lambda case: -case[2])[:GUARDS_MAX]


def _block(site: Site, condition: str, inner: str) -> tuple[str, str]:
    return f"if {condition}:", f"{site.deeper[len(site.indent) :]}{inner}"


def early_return(site: Site) -> Iterator[Draft]:
    """A case that has to be answered before the statement runs."""
    if site.statement.definition is None or site.is_clause or not site.owns_line:
        return
    if site.node.type in ("function_definition", "class_definition"):
        return
    for subject, condition, weight in _cases(site):
        fault = f"The case `{shown(condition)}` may have to be answered first."
        for result, usual in _results(site, subject):
            edit = site.insert_before(*_block(site, condition, f"return {result}".rstrip()))
            remedy = f"Return `{result or 'None'}` if `{shown(condition)}`."
            yield Draft(fault, remedy, (edit,), weight * usual)


def _results(site: Site, subject: str) -> list[tuple[str, float]]:
    """What an early return may give: what the function returns elsewhere, and the empty values."""
    if site.ingredients.is_generator:
        return [("", 1.0)]
    weighted: dict[str, float] = {}
    for given in site.ingredients.returned:
        if given.kind in CONSTANTS:
            weighted[given.code] = 2.0
    weighted.setdefault(subject, 0.8)
    for name, near in site.variables(4):
        weighted.setdefault(name.text, 0.8 * near)
    if not site.ingredients.returned:
        weighted[""] = 2.0
    alike = DEFAULTS.get(site.scope.shape_of(subject), ()) if subject in site.scope.shapes else ()
    for text in alike:
        weighted.setdefault(text, 0.9)
    for text, weight in RESULTS.items():
        weighted.setdefault(text, weight)
    return sorted(weighted.items(), key=lambda pair: -pair[1])[:RESULTS_MAX]


def early_exit(site: Site) -> Iterator[Draft]:
    """A round of a loop that has to be skipped, or to be the last."""
    if not site.in_loop or site.is_clause or not site.owns_line:
        return
    cases = [(condition, weight) for _, condition, weight in _cases(site)[:6]]
    cases += [(other.code, 0.5) for other in site.ingredients.conditions[:4]]
    for condition, weight in cases:
        fault = f"The case `{shown(condition)}` may have to leave the loop's round."
        for word in ("continue", "break"):
            edit = site.insert_before(*_block(site, condition, word))
            yield Draft(fault, f"Add `{word}` if `{shown(condition)}`.", (edit,), weight)


def early_raise(site: Site) -> Iterator[Draft]:
    """An input that has to be refused before the statement runs."""
    if site.statement.definition is None or site.is_clause or not site.owns_line:
        return
    first = body_start(site)
    if first is None or first != site.node:
        return
    for _, condition, weight in _cases(site)[:5]:
        fault = f"The case `{shown(condition)}` may have to be refused."
        for error in ("ValueError", "TypeError"):
            edit = site.insert_before(*_block(site, condition, f"raise {error}"))
            yield Draft(fault, f"Raise `{error}` if `{shown(condition)}`.", (edit,), weight)


def body_start(site: Site) -> Node | None:
    """The first statement of the enclosing function that is no docstring."""
    block = site.statement.block
    parent = site.node.parent
    if parent is None or parent.parent != site.statement.definition:
        return None
    plain = [
        n for n in block if not (n.type == "expression_statement" and n.named_children[0].type == "string")
    ]
    return plain[0] if plain else None


def missing_default(site: Site) -> Iterator[Draft]:
    """A value that is None where nothing was given: it needs a default before it is used."""
    if site.statement.definition is None or site.is_clause or not site.owns_line:
        return
    for subject, weight in _subjects(site)[:4]:
        fault = f"`{subject}` may be None here."
        for default in DEFAULTS.get(site.scope.shape_of(subject), DEFAULTS[None]):
            edit = site.insert_before(*_block(site, f"{subject} is None", f"{subject} = {default}"))
            yield Draft(fault, f"Let `{default}` be its default.", (edit,), weight)


def missing_conversion(site: Site) -> Iterator[Draft]:
    """An argument that comes as another type than the function works with."""
    definition = site.statement.definition
    if definition is None or site.is_clause or not site.owns_line or body_start(site) != site.node:
        return
    for name in parameters_of(site.module, definition):
        if name in ("self", "cls"):
            continue
        fault = f"`{name}` may come as another type here."
        for kind in CONVERSIONS.get(site.scope.shape_of(name), CONVERSIONS[None]):
            edit = site.insert_before(f"{name} = {kind}({name})")
            yield Draft(fault, f"Make it a `{kind}`.", (edit,))


def guarded_value(site: Site) -> Iterator[Draft]:
    """A value that can't be had where something is None or empty: `x.a if x else None`."""
    for node in values(site):
        subjects = [s for s in unique(receivers(site, node)) if s not in ("self", "cls")]
        if node.type not in ("attribute", "subscript", "call", "binary_operator"):
            continue
        subjects += [site.text(n) for n in node.named_children if n.type == "identifier"]
        text, shape = site.text(node), site.shape(node)
        for subject in unique(subjects)[:3]:
            if "\n" in text or subject == text:
                continue
            fault = f"`{subject}` may be None or empty here."
            for default in ("None", "0", "''", "[]") if shape is None else DEFAULTS.get(shape, ()):
                yield site.compose(node, f"{text} if {subject} else {default}", fault)
    for node in values(site):
        if node.type in ("identifier", "attribute", "call") and site.shape(node) != "number":
            fault = f"`{shown(site.text(node))}` may be None or empty here."
            for default in DEFAULTS.get(site.shape(node), ("[]", "{}", "''")):
                yield site.compose(node, f"{site.text(node)} or {default}", fault, 0.5)


TEMPLATES = (
    Template("missing-base-case", 24, early_return),
    Template("missing-exit", 7, early_exit),
    Template("missing-refusal", 3, early_raise),
    Template("missing-default", 4, missing_default),
    Template("missing-conversion", 2, missing_conversion),
    Template("guarded-value", 6, guarded_value),
)
