"""Further inputs for a function: those of its tests, changed a little, and values that its annotations allow.

Standard library only, Python 3.8 on. The same arguments give the same inputs, in the same order, in every
process.
"""

from __future__ import annotations

import itertools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VARIANTS_MAX = 12
"""Changed inputs of one call."""
ITEMS_MAX = 50
CHARS_MAX = 1000
ANNOTATED_MAX = 8
BY_TYPE = {
    "bool": (False, True),
    "int": (0, 1, -1, 2, 7, 100, -13),
    "float": (0.0, 1.5, -2.25, 1e6),
    "str": ("", "a", "Ab c", "ab,ab", "Zz9-"),
    "bytes": (b"", b"a", b"\x00\xff"),
    "list": ([], [1], [2, 1], [3, 1, 2, 1]),
    "tuple": ((), (1,), (2, 1, 3)),
    "dict": ({}, {"a": 1}, {"b": 2, "a": 1}),
    "set": (set(), {1}, {1, 2, 3}),
    "None": (None,),
}
ALIASES = {"List": "list", "Sequence": "list", "Iterable": "list", "Tuple": "tuple", "Dict": "dict"}
ALIASES.update({"Mapping": "dict", "Set": "set", "NoneType": "None", "Collection": "list"})


def variants(values: list[Any], keywords: dict[str, Any]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """The arguments of a call with one of them changed, the arguments taking turns."""
    streams: list[tuple[Any, Iterator[Any]]] = [(at, neighbours(value)) for at, value in enumerate(values)]
    streams += [(name, neighbours(value)) for name, value in sorted(keywords.items())]
    made = 0
    while streams and made < VARIANTS_MAX:
        left = []
        for where, stream in streams:
            for changed in itertools.islice(stream, 1):
                left.append((where, stream))
                made += 1
                if isinstance(where, int):
                    yield [*values[:where], changed, *values[where + 1 :]], dict(keywords)
                else:
                    yield list(values), dict(keywords, **{where: changed})
            if made == VARIANTS_MAX:
                return
        streams = left


def neighbours(value: Any) -> Iterator[Any]:
    """Values near this one, of its own type; none for types that aren't builtin."""
    kind = type(value)
    if kind is bool:
        yield not value
    elif kind is int:
        yield from (value + 1, value - 1, -value, 0, value * 2)
    elif kind is float:
        yield from (value + 1.0, -value, 0.0, value / 2)
    elif kind in (str, bytes) and len(value) <= CHARS_MAX:
        yield from (value[:-1], value[1:], value + value[-1:], value[::-1], value[:0])
    elif kind in (list, tuple, set, frozenset, dict) and len(value) <= ITEMS_MAX:
        yield from near_mappings(value) if kind is dict else near_collections(value, kind)


def near_collections(value: Any, kind: Any) -> Iterator[Any]:
    if kind in (set, frozenset):
        for item in sorted(value, key=repr)[:2]:
            yield kind(value - {item})
        return
    yield from (value[:-1], value[::-1], value[1:], value + value[-1:], value[:0])
    for index in sorted({0, len(value) // 2}) if value else ():
        for changed in itertools.islice(neighbours(value[index]), 2):
            yield value[:index] + kind((changed,)) + value[index + 1 :]


def near_mappings(value: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    for key in sorted(value, key=repr)[:2]:
        yield {k: v for k, v in value.items() if k != key}
        for changed in itertools.islice(neighbours(value[key]), 1):
            yield {**value, key: changed}


def annotated(annotations: list[Any]) -> Iterator[list[Any]]:
    """Arguments for parameters with these annotations, all of builtin types; none where one isn't."""
    choices = [of_annotation(annotation) for annotation in annotations]
    if not choices or not all(choices):
        return
    for number in range(ANNOTATED_MAX):
        # A stride for each parameter, so that equal types don't get equal values.
        yield [values[(number * (place + 1) + place) % len(values)] for place, values in enumerate(choices)]


def of_annotation(annotation: Any) -> tuple[Any, ...]:
    """Values that an annotation allows, () where it is no builtin type."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    if not isinstance(annotation, (str, type)) or "[" in str(annotation):
        text = str(annotation)
    text = text.replace("typing.", "").replace("collections.abc.", "").replace(" ", "")
    if text.startswith("Optional["):
        return (None, *of_annotation(text[len("Optional[") : -1]))
    if "|" in text and "[" not in text:
        return tuple(value for part in text.split("|") for value in of_annotation(part))
    head, _, inner = text.partition("[")
    head = ALIASES.get(head, head)
    if head in ("list", "tuple", "set") and inner:
        items = of_annotation(inner.rstrip("]").split(",")[0])
        if not items:
            return ()
        kind = {"list": list, "tuple": tuple, "set": set}[head]
        return (kind(), kind(items[:1]), kind(items[::-1]), kind(items[:3]))
    return BY_TYPE.get(head, ())
