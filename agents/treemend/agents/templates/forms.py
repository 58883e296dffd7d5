"""Questions that templates ask of the nodes of a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from treemend.agents.templates.site import VALUES, Site, words
from treemend.tools.scope import receiver_and_attribute
from treemend.tools.syntax import walk

if TYPE_CHECKING:
    from tree_sitter import Node

BINDING = frozenset(
    words(
        "parameters lambda_parameters typed_parameter pattern_list tuple_pattern dotted_name type "
        "aliased_import function_definition class_definition as_pattern_target global_statement "
        "list_splat_pattern dictionary_splat_pattern nonlocal_statement case_pattern"
    )
)


def is_read(site: Site, node: Node) -> bool:
    """Whether an identifier is read as a value: not called, bound, or a name of an argument."""
    above, field = site.parent_type(node), site.field(node)
    if above == "call":
        return field != "function"
    if above in ("keyword_argument", "default_parameter", "typed_default_parameter"):
        return field == "value"
    if above == "attribute":
        return field == "object"
    if above in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return field != "left" and field != "type"
    if above == "named_expression":
        return field == "value"
    return above not in BINDING


def arguments_of(call: Node) -> list[Node]:
    """The positional arguments of a call."""
    arguments = call.child_by_field_name("arguments")
    if arguments is None or arguments.type != "argument_list":
        return []
    plain = ("keyword_argument", "list_splat", "dictionary_splat", "comment")
    return [child for child in arguments.named_children if child.type not in plain]


def is_called(site: Site, node: Node) -> bool:
    return site.parent_type(node) == "call" and site.field(node) == "function"


def conditions(site: Site) -> list[Node]:
    """The conditions of the statement: its own, those of conditional expressions and comprehensions."""
    found = []
    own = site.node.child_by_field_name("condition")
    if own is not None:
        found.append(own)
    for node in site.nodes("conditional_expression"):
        found += node.named_children[1:2]
    for node in site.nodes("if_clause", "assert_statement"):
        found += node.named_children[:1]
    return found


WHOLE = frozenset(
    words(
        "return_statement argument_list yield list expression_list parenthesized_expression "
        "expression_statement list_comprehension generator_expression set_comprehension tuple"
    )
)


def is_whole(site: Site, node: Node) -> bool:
    """Whether a node stands where a whole value is given: assigned, returned, passed, yielded."""
    above, field = site.parent_type(node), site.field(node)
    if above in ("assignment", "augmented_assignment"):
        return field == "right"
    if above in ("keyword_argument", "pair", "default_parameter", "typed_default_parameter"):
        return field == "value"
    if above in ("for_statement", "for_in_clause"):
        return field == "right"
    if above == "conditional_expression":
        return True
    return above in WHOLE


def values(site: Site) -> Sequence[Node]:
    """Whole values of the statement, outermost first."""
    return [n for n in site.header if n.type in VALUES and is_whole(site, n)]


def receivers(site: Site, root: Node) -> Iterator[str]:
    """What attributes or elements are taken of below a node: it breaks where these are None or empty."""
    for inner in walk(root):
        receiver, _ = receiver_and_attribute(inner)
        if inner.type == "subscript":
            receiver = inner.child_by_field_name("value")
        if receiver is not None and receiver.type in ("identifier", "attribute", "subscript"):
            yield site.text(receiver)
