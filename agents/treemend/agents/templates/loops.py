"""Loops over the wrong things, or too often."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.forms import arguments_of
from treemend.agents.templates.site import Draft, Site, Template, shown

PARTS = {
    "reversed({})": 1.2, "sorted({})": 1.0, "{}[1:]": 1.0, "{}[:-1]": 1.0, "list({})": 0.7,
    "set({})": 0.4, "enumerate({})": 0.4, "{}[::-1]": 0.4, "range({})": 0.5, "range(len({}))": 0.6,
    "{}.items()": 0.3, "{}[:]": 0.4,
}  # fmt: skip
OF_RANGE = ("reversed", "{}[::-1]")


def iterated(site: Site) -> Iterator[Draft]:
    """Another order, or another part, of what is iterated; another collection in scope."""
    for node in site.nodes("for_statement", "for_in_clause"):
        right = node.child_by_field_name("right")
        if right is None:
            continue
        text = site.operand(right)
        fault = f"The loop over `{shown(text)}` may take the wrong elements."
        is_range = text.startswith("range(")
        for form, weight in PARTS.items():
            if not is_range or form.startswith(OF_RANGE):
                yield site.swap(right, form.format(text), fault, weight)
        for name, near in site.variables(8):
            if name.shape in ("list", "dict", "set", "tuple", None) and name.text != text:
                certain = near * (1.0 if name.shape else 0.4)
                yield site.swap(right, name.text, fault, certain)
                if right.type == "call" and not is_range and "(" in text:
                    yield site.swap(right, f"enumerate({name.text})", fault, 0.5 * certain)


def bounds(site: Site) -> Iterator[Draft]:
    """A range that begins, ends or steps in another way."""
    for call in site.nodes("call"):
        function, arguments = call.child_by_field_name("function"), arguments_of(call)
        if function is None or site.text(function) != "range" or not arguments:
            continue
        texts = [site.text(argument) for argument in arguments]
        fault = f"`{shown(site.text(call))}` may have the wrong bounds."
        for new, weight in _other_ranges(texts):
            yield site.swap(call, f"range({new})", fault, weight)
        for name, near in site.variables(6):
            if len(texts) == 1 and name.shape == "number" and name.text not in texts[0]:
                yield site.swap(call, f"range({name.text}, {texts[0]})", fault, near)
                yield site.swap(call, f"range({name.text} + 1, {texts[0]})", fault, near)


def _other_ranges(texts: list[str]) -> list[tuple[str, float]]:
    if len(texts) == 1:
        (stop,) = texts
        return [
            (f"1, {stop}", 2.0), (f"1, {stop} + 1", 2.0), (f"{stop} + 1", 1.5), (f"{stop} - 1", 1.5),
            (f"2, {stop}", 0.5), (f"2, {stop} + 1", 0.5), (f"{stop} - 1, -1, -1", 0.7),
            (f"0, {stop}, 2", 0.3), (f"len({stop})", 0.3), (f"int({stop})", 0.2),
        ]  # fmt: skip
    start, stop = texts[:2]
    if len(texts) == 2:
        return [
            (stop, 1.0), (f"0, {stop}", 0.7), (f"{start} + 1, {stop} + 1", 1.0), (f"1, {stop}", 0.7),
            (f"{start}, {stop}, -1", 0.7), (f"{stop}, {start}", 0.4), (f"{start}, {stop}, 2", 0.4),
            (f"{stop}, {start}, -1", 0.5), (f"{stop} - 1, {start} - 1, -1", 0.4),
            (f"{start}, len({stop})", 0.3), (f"{start} - 1, {stop} - 1", 0.5),
        ]  # fmt: skip
    step = texts[2]
    return [
        (f"{start}, {stop}", 1.0),
        (f"{stop}, {start}, {step}", 0.5),
        (f"{start}, {stop}, -{step}", 0.5),
    ]


def endless(site: Site) -> Iterator[Draft]:
    """A loop that should go on while something is left: `while queue` for `while True`."""
    if site.node.type != "while_statement":
        return
    condition = site.node.child_by_field_name("condition")
    if condition is None:
        return
    own = site.text(condition)
    fault = f"The loop `{site.head}` may end at the wrong time."
    for name, near in site.variables(8):
        forms = {"{}": 1.0}
        if name.shape in ("number", None):
            forms |= {"{} > 0": 0.8, "{} != 0": 0.3, "{} >= 0": 0.3, "{} > 1": 0.3}
        if name.shape not in ("number", "bool"):
            forms |= {"len({}) > 0": 0.2, "{} is not None": 0.5, "len({}) > 1": 0.2}
        for form, weight in forms.items():
            if form.format(name.text) != own:
                likely = near * (2.0 if own == "True" else 0.5)
                yield site.swap(condition, form.format(name.text), fault, weight * likely)
    if own != "True":
        yield site.swap(condition, "True", fault, 0.4)


def unpacked(site: Site) -> Iterator[Draft]:
    """Targets of a loop that miss a part of what comes: `for i, x in enumerate(xs)`."""
    for node in site.nodes("for_statement", "for_in_clause"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            continue
        text, names = site.text(right), site.text(left)
        fault = f"`for {names} in {shown(text)}` may take what comes apart the wrong way."
        if left.type == "pattern_list" and right.type in ("identifier", "attribute"):
            for form in ("{}.items()", "enumerate({})", "zip(*{})"):
                yield site.swap(right, form.format(text), fault)
        if left.type == "pattern_list" and text.startswith("enumerate("):
            yield site.swap(right, text.removeprefix("enumerate(").removesuffix(")"), fault, 0.3)
        if left.type == "identifier" and text.endswith(".items()"):
            for form in ("{}.keys()", "{}.values()"):
                yield site.swap(right, form.format(text.removesuffix(".items()")), fault)


TEMPLATES = (
    Template("wrong-iteration", 10, iterated),
    Template("wrong-range", 10, bounds),
    Template("loop-condition", 3, endless),
    Template("wrong-unpacking", 2, unpacked),
)
