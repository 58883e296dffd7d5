"""What a definition's node is called, and in whose scope it lies, where its place doesn't say that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node

_FIELDS = {
    "assignment": "left",
    "assignment_expression": "left",
    "type_alias_statement": "left",
    "impl_item": "type",
    "pair": "key",
    "field_definition": "property",
    "property_element": "name",
}
BARE = frozenset({"property_identifier", "identifier", "field_identifier"})
"""A definition that shares its declaration with others, captured as its name alone."""
_DECLARATORS_MAX = 20
_GENERIC = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")
_THIS = ("self", "cls", "this")
_ANONYMOUS = frozenset({"const_element", "enum_member_declaration"})


class Name(NamedTuple):
    """A name, the node where it stands, and the owner that is written before it ("" if none is).

    An instance field belongs to the class around the function that sets it.
    """

    text: str
    node: Node
    owner: str = ""
    is_instance: bool = False


def name_of(node: Node) -> Name | None:
    """The name of a definition's node; None where it defines nothing that has a name."""
    kind = node.type
    if kind in BARE:
        return Name(_text(node), node)
    found = node.child_by_field_name(_FIELDS.get(kind, "name")) or _declared(node)
    if found is None:
        return _first_name(node) if kind in _ANONYMOUS or "declarator" in kind else None
    what = found.type
    if what == "attribute":
        return _attribute(found)
    if what == "member_expression":
        return _member(found)
    if kind == "method_declaration" and (receiver := node.child_by_field_name("receiver")):
        return Name(_text(found), found, _receiver_type(receiver))
    if what in ("qualified_identifier", "scoped_identifier"):
        owner, _, last = _plain(found).rpartition("::")
        return Name(last, _last_name(found), owner.replace("::", "."))
    if what == "instance_variable":
        return Name(_text(found).lstrip("@"), found, is_instance=True)
    if what == "variable_name" and found.named_child_count:
        found = found.named_children[0]
    text = _plain(found) if kind == "impl_item" else _text(found)
    text = text.replace("::", ".").strip("\"'$#")
    return Name(text.rpartition(".")[2], found, text.rpartition(".")[0]) if text else None


def _declared(node: Node) -> Node | None:
    """The name inside C's nested declarators: `int *(*f[3])(void)`."""
    found = node.child_by_field_name("declarator")
    for _ in range(_DECLARATORS_MAX):
        if found is None:
            return None
        inner = found.child_by_field_name("declarator")
        if inner is None and found.type in ("reference_declarator", "parenthesized_declarator"):
            inner = found.named_children[0] if found.named_child_count else None
        if inner is None:
            return found
        found = inner
    return None


def _first_name(node: Node) -> Name | None:
    first = next(
        (child for child in node.named_children if "name" in child.type or child.type == "identifier"), None
    )
    return Name(_text(first), first) if first is not None else None


def _attribute(node: Node) -> Name | None:
    """Python's `self.x = ...`."""
    holder, name = node.child_by_field_name("object"), node.child_by_field_name("attribute")
    if holder is None or name is None or _text(holder) not in _THIS:
        return None
    return Name(_text(name), name, is_instance=True)


def _member(node: Node) -> Name | None:
    """JavaScript's `A.prototype.b = ...`, `exports.b = ...` and `this.b = ...`."""
    holder, name = node.child_by_field_name("object"), node.child_by_field_name("property")
    if holder is None or name is None:
        return None
    owner = _text(holder)
    if owner == "this":
        return Name(_text(name), name, is_instance=True)
    owner = owner.removesuffix(".prototype")
    if not re.fullmatch(r"[\w$.]{1,100}", owner):
        return None
    return Name(
        _text(name), name, "" if owner in ("exports", "module.exports", "module", "window") else owner
    )


def _receiver_type(receiver: Node) -> str:
    """Go's `(s *Server[T])` is Server."""
    text = _GENERIC.sub("", _text(receiver)).strip("() ")
    return re.sub(r"^.*[\s*.]", "", text)


def _last_name(node: Node) -> Node:
    while (inner := node.child_by_field_name("name")) is not None:
        node = inner
    return node


def _plain(node: Node) -> str:
    """A type without its arguments: `Map<K, V>` is Map."""
    return without_arguments(_text(node))


def without_arguments(text: str) -> str:
    """`a::Map<K, List<V>>` is `a::Map`, Python's `Generic[T]` is `Generic`, `&'a T` is `T`."""
    for _ in range(10):
        shorter = _GENERIC.sub("", text)
        if shorter == text:
            break
        text = shorter
    return re.sub(r"^[&*]+\s*('\w+\s+)?(mut\s+|dyn\s+)?|\(.*$", "", text.strip(), flags=re.DOTALL).strip()


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
