"""Identifiers and prose as words."""

from __future__ import annotations

import pytest

from treemend.tools.index.words import folded, query_words, split_identifier, words_of


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("getHTTPResponse_code2", ["get", "http", "response", "code"]),
        ("__init__", ["init"]),
        ("URLField", ["url", "field"]),
        ("größeÄndern", ["größe", "ändern"]),
        ("x", ["x"]),
        ("_", []),
    ],
)
def test_identifiers_are_split(name: str, parts: list[str]) -> None:
    assert split_identifier(name) == parts


def test_the_whole_identifier_stands_beside_its_parts() -> None:
    assert words_of(b"getItem delete base64") == "get item getitem delete base base64"


def test_a_word_counts_as_often_as_it_is_said() -> None:
    assert words_of(b"item self.item") == "item  item"


def test_a_query_has_the_words_of_the_index() -> None:
    assert query_words("How does get_item work?") == ["get", "item", "getitem", "work"]
    assert query_words("検索結果") == ["検索", "索結", "結果"]
    assert query_words("") == []


def test_names_are_folded() -> None:
    assert folded("getItem") == folded("GET_ITEM") == "getitem"
