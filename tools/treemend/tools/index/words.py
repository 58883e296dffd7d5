"""Identifiers and prose as words: the same for what is indexed and for what is asked."""

from __future__ import annotations

import re
from collections import Counter

WORD = re.compile(rb"[A-Za-z_\x80-\xff$][\w\x80-\xff$]+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_RUNS = re.compile(r"[^\W\d_]+")
_ENGLISH = (
    "an and are as at be been but by can did do does for from had has have he her his how if in into is it "
    "its may no not of on one or our out she should so such than that the their them then there these they "
    "this those to us use used uses was we were what when where which who why will with would you your"
)
_SYNTAX = "cls def elif self"
STOP_WORDS = frozenset((_ENGLISH + " " + _SYNTAX).split())
_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
WORD_CHARS_MAX = 64


def split_identifier(name: str) -> list[str]:
    """The parts of an identifier in lower case: "getHTTPResponse_code2" is get, http, response, code."""
    if name.isascii():
        return [part.lower() for part in _PARTS.findall(name)]
    return [part.lower() for run in _RUNS.findall(name) for part in _humps(run)]


def _humps(run: str) -> list[str]:
    """A run of letters of any script, split where its case says so."""
    bounds = [
        at
        for at in range(1, len(run))
        if run[at].isupper() and (run[at - 1].islower() or run[at + 1 : at + 2].islower())
    ]
    return [run[start:end] for start, end in zip([0, *bounds], [*bounds, len(run)], strict=True)]


class _Expansions(dict[bytes, str]):
    """What stands for a word in the index: its parts, and all of it as one, with digits and without; "" for
    a stop word."""

    def __missing__(self, word: bytes) -> str:
        if len(self) >= _EXPANSIONS_MAX:
            self.clear()
        self[word] = expansion = _expansion(word)
        return expansion


_EXPANSIONS_MAX = 200_000
_EXPANDED = _Expansions()


def _expansion(word: bytes) -> str:
    if len(word) > WORD_CHARS_MAX:
        return ""
    text = word.decode("utf-8", "replace")
    if not text.isascii() and _WIDE.search(text):
        return " ".join(_bigrams(text))
    parts = split_identifier(text)
    kept = [part for part in parts if len(part) > 1 and part not in STOP_WORDS]
    if len(parts) > 1:
        kept.append("".join(parts))
    if any(map(str.isdigit, text)):
        kept.append(text.replace("_", "").lower())
    return " ".join(kept)


def _bigrams(text: str) -> list[str]:
    """Scripts without blanks between words are found by pairs of characters."""
    runs = _WIDE.findall(text)
    return [run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))]


def words_of(data: bytes) -> str:
    """The words of a piece of source in their order, expanded."""
    return " ".join(map(_EXPANDED.__getitem__, WORD.findall(data)))


def query_words(text: str) -> list[str]:
    """The distinct words of a query in their order."""
    return list(dict.fromkeys(words_of(text.encode("utf-8", "replace")).split()))


def counted_words(text: str) -> Counter[str]:
    """The words of a query with how often it says them."""
    found: Counter[str] = Counter()
    for word, count in Counter(WORD.findall(text.encode("utf-8", "replace"))).items():
        for part in _EXPANDED[word].split():
            found[part] += count
    return found


def folded(name: str) -> str:
    """A name without case and underscores: `getItem`, `get_item` and `GetItem` are one."""
    return name.replace("_", "").lower()
