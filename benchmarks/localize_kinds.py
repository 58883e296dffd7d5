"""How predictions of `localize.py` score by what an issue names of the code that its fix changed.

    python benchmarks/localize_kinds.py --instances FILE PREDICTIONS...

An issue names a function, its class or its file if it has the last part of the name, or the file's name with
its ending, as a word of its own. Acc@k is the share of instances whose gold functions (files) all lie within
the first k (k of them where there are more); `Class.__init__` counts as `Class`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from acc_at import is_hit, read_rows, without_constructor

FUNCTIONS_AT, FILES_AT = (1, 5, 10, 50, 100), (1, 3, 5)
KINDS = ("all functions named", "something named", "nothing named")
Row = dict[str, Any]


def kind_of(instance: Row) -> str:
    """Which of KINDS an issue is."""
    text = instance["problem_statement"]
    functions: list[bool] = []
    others: list[bool] = []
    for gold in instance["gold_functions"]:
        path, _, name = gold.partition("::")
        *owner, last = name.split(".")
        functions.append(is_word(last, text))
        others.append(is_word(path.rpartition("/")[2], text) or any(is_word(part, text) for part in owner))
    if all(functions):
        return KINDS[0]
    return KINDS[1] if any(functions) or any(others) else KINDS[2]


def is_word(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def hits(instance: Row, prediction: Row) -> Iterator[bool]:
    ranked, gold = (
        [without_constructor(name) for name in names]
        for names in (prediction["functions"], instance["gold_functions"])
    )
    yield from (is_hit(ranked, gold, count) for count in FUNCTIONS_AT)
    files = prediction.get("files") or [name.partition("::")[0] for name in ranked]
    wanted = [name.partition("::")[0] for name in gold]
    yield from (is_hit(files, wanted, count) for count in FILES_AT)


def print_table(instances: Sequence[Row], predictions: dict[str, Row]) -> None:
    nothing: Row = {"functions": [], "files": []}
    print(f"| issues | n | {' | '.join(f'function @{k}' for k in FUNCTIONS_AT)} | ", end="")
    print(f"{' | '.join(f'file @{k}' for k in FILES_AT)} |")
    print("|---" * (2 + len(FUNCTIONS_AT) + len(FILES_AT)) + "|")
    for kind in (*KINDS, "all"):
        chosen = [one for one in instances if kind in ("all", kind_of(one))]
        scored = [list(hits(one, predictions.get(one["instance_id"], nothing))) for one in chosen]
        shares = [100 * sum(column) / len(scored) for column in zip(*scored, strict=True)]
        print(f"| {kind} | {len(chosen)} | {' | '.join(f'{share:.1f}' for share in shares)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("predictions", type=Path, nargs="+")
    options = parser.parse_args()
    instances = read_rows(options.instances)
    for path in options.predictions:
        predictions = {row["instance_id"]: row for row in read_rows(path)}
        missing = sum(one["instance_id"] not in predictions for one in instances)
        print(f"\n{path}: {missing} instances have no prediction.\n" if missing else f"\n{path}\n")
        print_table(instances, predictions)


if __name__ == "__main__":
    main()
