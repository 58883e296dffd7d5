"""BM25F over the index's documents, for several bags of words in one pass over the postings.

score(d) = sum over words of weight x idf x tf / (k1 + tf), where tf is the sum over fields of
w x count / (1 - b + b x length / average length) (Robertson, Zaragoza and Taylor, CIKM 2004).
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from treemend.tools.index.words import counted_words
from treemend.tools.localization.units import Unit, Units

FIELDS = ("name", "scope", "signature", "doc", "body", "path")
_WEIGHTS = (3.0, 1.5, 1.0, 1.0, 1.0, 1.0)
_B = (0.3, 0.3, 0.3, 0.6, 0.75, 0.3)
_K1 = 1.2
_WORDS_MAX = 300
_POSTINGS_MAX = 600_000
_SHARE_MAX = 0.4
"""A word that is in more of the documents than this tells nothing."""

_FILLER_WORDS = (
    "about above actual actually add after again all also always am another any anyone anything around "
    "ask attached away back because before behavior behaviour below best better between bit both bug but "
    "call called came cannot case cause causes check clear code come comes common consider correct "
    "correctly could couldn couple current currently day describe description details didn different "
    "doesn doing don done due during each easily either enough etc even ever every everything exactly "
    "example examples expect expected expecting explain fact far feel few figure find fine fix fixed "
    "follow following found further general get gets getting give given gives giving go goes going good "
    "got great guess had happen happened happening happens having hello help hence her here hi hope "
    "however idea instead isn issue issues it itself just keep kind know known last later least less like "
    "likely line lines little ll look looking looks lot made main make makes making many matter maybe me "
    "mean means mentioned might minimal more most much must my need needed needs never next nice note "
    "nothing now obviously ok old once ones only opinion order originally other others otherwise our over "
    "own part patch perhaps place please point possible possibly practice pretty probably problem "
    "problems produce produces proper properly provide put question quite rather re real really reason "
    "recent recently related report reported reproduce reproducing resolve result results right run "
    "running said same say says see seem seems seen several shall share show shown shows similar simple "
    "simply since situation solution solve some someone something sometimes somewhat soon sorry still "
    "steps stuff suggest sure system take taken takes thank thanks thing things think though thought "
    "through ticket time times today together too took tried tries try trying two unable under understand "
    "unfortunately until up upon ve version versions very via wasn want wanted wants way ways week well "
    "went what whatever whether while whole why without won wonder work worked working works worse would "
    "wouldn write wrong yes yet"
)
_FILLER = frozenset(_FILLER_WORDS.split())


@dataclass
class Lexical:
    """Scores by the ids of units. `bags` has one map a bag, `fields` one a field for the first bag.

    `title_fields` is the same for the title, `files` BM25 of whole files, `sizes` the words of a document.
    `worth` is weight x idf of each stem of the first bag, `spellings` one word of the symptom for each.
    """

    bags: dict[str, dict[int, float]] = field(default_factory=dict)
    fields: dict[str, dict[int, float]] = field(default_factory=dict)
    title_fields: dict[str, dict[int, float]] = field(default_factory=dict)
    files: dict[str, dict[int, float]] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    worth: dict[str, float] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)


def bag_of(text: str) -> dict[str, float]:
    """The words of a text, each with 1 + ln(its count), filler left out."""
    counts = counted_words(text)
    return {word: 1.0 + math.log(count) for word, count in counts.items() if word not in _FILLER}


def weighted_bag(title: str, rest: str, title_weight: float) -> dict[str, float]:
    """The words of both, those of the title with a weight added."""
    bag = bag_of(f"{title}\n{rest}")
    for word in bag_of(title):
        bag[word] += title_weight
    return bag


def score_documents(
    connection: sqlite3.Connection, bags: Mapping[str, Mapping[str, float]], units: Units
) -> Lexical:
    """BM25F of all documents that have a word of a bag. The first bag leads; "title" must be among them."""
    lead = next(iter(bags))
    words = list(dict.fromkeys(word for bag in bags.values() for word in bag))
    stems = stems_of(connection, words)
    weights = {
        name: _by_stem({word: weight for word, weight in bag.items()}, stems) for name, bag in bags.items()
    }
    count = max(1, int(connection.execute("SELECT count(*) FROM unit_docsize").fetchone()[0]))
    chosen = _chosen(connection, sorted(set(stems.values())), weights[lead], weights, count)
    file_of = {unit.id: unit.file for unit in units.by_id.values()}
    found = _accumulated(connection, chosen, weights, _Lengths(connection, units.id_of), file_of)
    found.worth = {stem: idf * weights[lead][stem] for stem, idf in chosen.items() if stem in weights[lead]}
    for word, stem in stems.items():
        found.spellings.setdefault(stem, word)
    return found


def matched_words(connection: sqlite3.Connection, unit: Unit, lexical: Lexical) -> list[str]:
    """The words of the first bag that a document has, those that weigh most first."""
    text = connection.execute(
        "SELECT name, scope, signature, doc, body, path FROM unit WHERE rowid = ?", [unit.row]
    ).fetchone()
    if text is None:
        return []
    stems = set(stems_of(connection, dict.fromkeys(" ".join(text).split())).values())
    matched = [stem for stem in lexical.worth if stem in stems]
    matched.sort(key=lambda stem: (-lexical.worth[stem], stem))
    return [lexical.spellings[stem] for stem in matched]


def stems_of(connection: sqlite3.Connection, words: Iterable[str]) -> dict[str, str]:
    """The stem of each word as the index's tokenizer makes it."""
    found: dict[str, str] = {}
    numbered = list(words)
    for statement in (
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.query_word USING fts5 (word, tokenize = 'porter ascii')",
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.query_stem "
        "USING fts5vocab ('temp', 'query_word', 'instance')",
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.unit_posting USING fts5vocab ('main', 'unit', 'instance')",
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.unit_term USING fts5vocab ('main', 'unit', 'row')",
        "DELETE FROM temp.query_word",
    ):
        connection.execute(statement)
    connection.executemany("INSERT INTO temp.query_word (rowid, word) VALUES (?, ?)", enumerate(numbered))
    for term, row in connection.execute("SELECT term, doc FROM temp.query_stem ORDER BY doc, offset"):
        found.setdefault(numbered[row], term)
    return found


def _by_stem(bag: Mapping[str, float], stems: Mapping[str, str]) -> dict[str, float]:
    """Words of one stem: the greatest weight counts in full, the others to a half."""
    found: dict[str, list[float]] = defaultdict(list)
    for word, weight in bag.items():
        if word in stems:
            found[stems[word]].append(weight)
    return {stem: max(each) + 0.5 * (sum(each) - max(each)) for stem, each in found.items()}


def _chosen(
    connection: sqlite3.Connection,
    stems: list[str],
    lead: Mapping[str, float],
    weights: Mapping[str, Mapping[str, float]],
    count: int,
) -> dict[str, float]:
    """The idf of the stems worth looking at, within the limits of words and postings."""
    found: list[tuple[float, str, float, int]] = []
    for stem in stems:
        row = connection.execute("SELECT doc, cnt FROM temp.unit_term WHERE term = ?", [stem]).fetchone()
        if row is None or (row[0] > _SHARE_MAX * count and count > 50):
            continue
        idf = math.log(1.0 + (count - row[0] + 0.5) / (row[0] + 0.5))
        weight = max(bag.get(stem, 0.0) for bag in weights.values())
        found.append((-weight * idf, stem, idf, row[1]))
    found.sort()
    chosen: dict[str, float] = {}
    spent = 0
    for _, stem, idf, postings in found[:_WORDS_MAX]:
        if spent + postings <= _POSTINGS_MAX:
            spent += postings
            chosen[stem] = idf
    return chosen


def _accumulated(
    connection: sqlite3.Connection,
    chosen: Mapping[str, float],
    weights: Mapping[str, Mapping[str, float]],
    lengths: _Lengths,
    file_of: Mapping[int, int],
) -> Lexical:
    lead = next(iter(weights))
    found = Lexical(
        {name: defaultdict(float) for name in weights},
        {name: defaultdict(float) for name in FIELDS},
        {name: defaultdict(float) for name in FIELDS},
        {name: defaultdict(float) for name in (lead, "title")},
        {document: sum(size) for document, size in lengths.sizes.items()},
    )
    file_sizes: dict[int, int] = defaultdict(int)
    for document, size in found.sizes.items():
        file_sizes[file_of[document]] += size
    average = sum(file_sizes.values()) / max(len(file_sizes), 1) or 1.0
    norms = {file: _K1 * (0.25 + 0.75 * size / average) for file, size in file_sizes.items()}
    for stem, idf in chosen.items():
        postings = lengths.postings(connection, stem)
        saturated = lengths.saturated(postings)
        for name, bag in weights.items():
            if weight := bag.get(stem, 0.0) * idf:
                scores = found.bags[name]
                for document, value in saturated.items():
                    scores[document] += weight * value
        lead_weight = weights[lead].get(stem, 0.0) * idf
        title_weight = weights["title"].get(stem, 0.0) * idf
        for scores_of, weight in ((found.fields, lead_weight), (found.title_fields, title_weight)):
            if weight:
                for document, _, column, _ in postings:
                    scores_of[column][document] += weight
        _add_files(found, postings, {lead: lead_weight, "title": title_weight}, file_of, norms)
    return found


_Sizes = bytes | tuple[int, ...]
_Posting = tuple[int, _Sizes, str, int]
"""A document with its sizes, the field, and how often it has the word there."""


class _Lengths:
    """The lengths of documents by fields, and what they make of a count."""

    def __init__(self, connection: sqlite3.Connection, id_of: Mapping[int, int]) -> None:
        self._known: dict[int, tuple[int, _Sizes]] = {}
        width = len(FIELDS)
        for row, packed in connection.execute("SELECT id, sz FROM unit_docsize"):
            if row in id_of:
                self._known[row] = id_of[row], packed if len(packed) == width else decoded_varints(packed)
        self.sizes = dict(self._known.values())
        count = max(len(self.sizes), 1)
        averages = [max(sum(size[at] for size in self.sizes.values()) / count, 0.1) for at in range(width)]
        self._fields = {
            name: (at, _WEIGHTS[at], 1.0 - _B[at], _B[at] / averages[at]) for at, name in enumerate(FIELDS)
        }

    def postings(self, connection: sqlite3.Connection, stem: str) -> list[_Posting]:
        known = self._known
        counts = Counter(connection.execute("SELECT doc, col FROM temp.unit_posting WHERE term = ?", [stem]))
        return [(*known[row], column, count) for (row, column), count in counts.items() if row in known]

    def saturated(self, postings: Iterable[_Posting]) -> dict[int, float]:
        """tf (k1 + 1) / (k1 + tf) of each document."""
        tf: dict[int, float] = {}
        fields = self._fields
        for document, size, column, count in postings:
            at, weight, base, slope = fields[column]
            tf[document] = tf.get(document, 0.0) + weight * count / (base + slope * size[at])
        return {document: value * (1.0 + _K1) / (_K1 + value) for document, value in tf.items()}


def decoded_varints(packed: bytes) -> tuple[int, ...]:
    values: list[int] = []
    value = 0
    for byte in packed:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            values.append(value)
            value = 0
    return tuple(values)


def _add_files(
    found: Lexical,
    postings: Iterable[_Posting],
    weights: Mapping[str, float],
    file_of: Mapping[int, int],
    norms: Mapping[int, float],
) -> None:
    counts: dict[int, int] = defaultdict(int)
    for document, _, column, count in postings:
        counts[file_of[document]] += 1 if column == "path" else count
    for name, weight in weights.items():
        if weight:
            scores = found.files[name]
            for file, count in counts.items():
                scores[file] += weight * count * (1.0 + _K1) / (count + norms[file])
