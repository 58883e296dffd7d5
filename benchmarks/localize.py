"""Where `locate` looks for the code of public issues, as predictions to be scored.

    python benchmarks/localize.py --instances FILE --trees DIR --out PREDICTIONS [--caches DIR] [--fixed]

FILE has one JSON object a line with `instance_id`, `repo` and `problem_statement`; DIR/<instance_id> is the
source tree. PREDICTIONS gets one JSON object a line: `instance_id`, `functions` (path::Class.method, best
first), `files`, and `seconds` (of CPU, this process, index up to date). What was predicted already is left
as it is. One index a repository goes from one tree to the next, so that files they share are parsed once.
`--fixed` ranks by the fixed sum of scores. Nothing but the trees and the texts is read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from treemend.store.errors import TreemendError
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.localization.locate import Located, locate
from treemend.tools.localization.ranker import FIXED, fitted_model

KEPT = 200


def instances(path: Path) -> list[dict[str, Any]]:
    """The instances of a file, by repository and date, so that neighbours share most of their files."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return sorted(rows, key=lambda row: (row.get("repo", ""), row.get("created_at", ""), row["instance_id"]))


def function_names(located: Located) -> Iterator[str]:
    """Functions as path::function or path::Class.method, whatever the class is in."""
    for hit in located.functions:
        yield f"{hit.path}::{'.'.join(hit.name.split('.')[-2:])}"


def predict(instance: dict[str, Any], tree: Path, cache: Path, *, fixed: bool) -> dict[str, Any]:
    with RepositoryIndex(tree, cache) as index:
        index.refresh()
        begun = time.process_time()
        model = FIXED if fixed else fitted_model()
        located = locate(index, instance["problem_statement"], limit=KEPT, model=model)
        seconds = time.process_time() - begun
    return {
        "instance_id": instance["instance_id"],
        "functions": list(dict.fromkeys(function_names(located))),
        "files": [hit.path for hit in located.files],
        "seconds": round(seconds, 3),
    }


def already_predicted(out: Path) -> set[str]:
    if not out.exists():
        return set()
    return {json.loads(line)["instance_id"] for line in out.read_text("utf-8").splitlines() if line.strip()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--trees", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--caches", type=Path, help="Folder for indexes. (default: a temporary one)")
    parser.add_argument("--fixed", action="store_true", help="Rank by the fixed sum of scores.")
    parser.add_argument("--only", default="", help="Only repositories with this in their names.")
    options = parser.parse_args()
    known, failed = already_predicted(options.out), 0
    with tempfile.TemporaryDirectory(prefix="treemend-localize-") as temporary, options.out.open("a") as out:
        caches = options.caches or Path(temporary)
        for instance in instances(options.instances):
            name, repo = instance["instance_id"], instance.get("repo", "")
            if name in known or options.only not in repo:
                continue
            try:
                cache = caches / f"{repo.replace('/', '+') or name}.sqlite3"
                row = predict(instance, options.trees / name, cache, fixed=options.fixed)
            except TreemendError as error:
                failed += 1
                print(f"{name}: {error.message}", file=sys.stderr)
                continue
            out.write(json.dumps(row) + "\n")
            out.flush()
            print(f"{name}: {row['seconds']} s", file=sys.stderr)
    if failed:
        print(f"{failed} instances have no prediction.", file=sys.stderr)


if __name__ == "__main__":
    main()
