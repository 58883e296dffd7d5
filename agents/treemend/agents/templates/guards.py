"""Missing guards: None, empty, base case."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, unique
from treemend.tools.scope import Shape

EMPTY: dict[Shape | None, tuple[str, ...]] = {
    "list": ("not {}", "len({}) <= 1"),
    "string": ("not {}",),
    "dict": ("not {}",),
    "set": ("not {}",),
    "number": ("{} == 0", "{} <= 0", "{} < 0", "{} == 1"),
    None: ("{} is None", "not {}"),
}
NAMES_MAX = 4
RESULTS_MAX = 5


def early_return(site: Site) -> Iterator[Draft]:
    """A case that has to be answered before the statement runs."""
    if site.statement.definition is None or site.node.type in ("elif_clause", "else_clause"):
        return
    names = [name for name in site.scope.variables if name.distance == 0][:NAMES_MAX]
    for name in names:
        for form in EMPTY.get(name.shape, EMPTY[None]):
            condition = form.format(name.text)
            fault = f"The case `{condition}` may have to be answered first."
            for result, weight in _results(site, name.text):
                code = f"if {condition}:{site.newline}{site.indent}    return {result}".rstrip()
                remedy = f"Return `{result or 'None'}` if `{condition}`."
                yield Draft(fault, remedy, (site.insert_before(code),), weight)


def _results(site: Site, name: str) -> list[tuple[str, float]]:
    """What an early return may give: what the function returns elsewhere, and the empty values."""
    returned = []
    for node in site.function_nodes("return_statement"):
        value = node.named_children[0] if node.named_children else None
        if value is not None and value.type in (
            "list",
            "integer",
            "identifier",
            "none",
            "true",
            "false",
            "string",
        ):
            returned.append(site.text(value))
    weighted = {**dict.fromkeys(unique(returned), 2.0)}
    for text, weight in (
        (name, 1.0),
        ("[]", 0.7),
        ("0", 0.7),
        ("None", 0.7),
        ("False", 0.7),
        ("True", 0.5),
    ):
        weighted.setdefault(text, weight)
    ordered = sorted(weighted.items(), key=lambda pair: -pair[1])
    return ordered[:RESULTS_MAX]


def early_exit(site: Site) -> Iterator[Draft]:
    """A round of a loop that has to be skipped, or to be the last."""
    if not _in_loop(site) or site.node.type in ("elif_clause", "else_clause"):
        return
    names = [name for name in site.scope.variables if name.distance == 0][:6]
    for name in names:
        for form in EMPTY.get(name.shape, EMPTY[None])[:2]:
            condition = form.format(name.text)
            fault = f"The case `{condition}` may have to leave the loop's round."
            for word in ("continue", "break"):
                code = f"if {condition}:{site.newline}{site.indent}    {word}"
                remedy = f"Add `{word}` if `{condition}`."
                yield Draft(fault, remedy, (site.insert_before(code),))


def _in_loop(site: Site) -> bool:
    above = site.node.parent
    while above is not None and above.type != "function_definition":
        if above.type in ("for_statement", "while_statement"):
            return True
        above = above.parent
    return False


def default_for_none(site: Site) -> Iterator[Draft]:
    """A value that may be None needs a default where it is used."""
    for node in site.nodes("attribute", "subscript"):
        value = node.child_by_field_name("object") or node.child_by_field_name("value")
        whole = node.parent
        if value is None or whole is None or whole.type not in ("assignment", "return_statement"):
            continue
        if whole.type == "assignment" and whole.child_by_field_name("right") != node:
            continue
        text = site.text(node)
        fault = f"`{site.text(value)}` may be None or empty here."
        new = f"{text} if {site.text(value)} else None"
        yield site.swap(node, new, fault, 1.0, f"Use None where `{site.text(value)}` is none.")


TEMPLATES = (
    Template("missing-base-case", 30, early_return),
    Template("missing-exit", 8, early_exit),
    Template("missing-default", 4, default_for_none),
)
