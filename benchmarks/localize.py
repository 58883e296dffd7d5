"""Where `locate` looks for the code of public issues, as predictions to be scored.

    python benchmarks/localize.py --instances FILE --trees DIR --out PREDICTIONS [--caches DIR]
        [--mirror DIR] [--fixed | --models DIR]

FILE has one JSON object a line with `instance_id`, `repo` and `problem_statement`; DIR/<instance_id> is the
source tree. PREDICTIONS gets one JSON object a line: `instance_id`, `functions` (path::Class.method, best
first), `files`, and `seconds` (of CPU, this process, index and history up to date). What was predicted
already is left as it is. An instance's index begins as that of the one before it in the same repository, so
that files they share are parsed once; with `--caches` all are kept, and another run parses nothing.
`--fixed` ranks by the fixed sum of scores. `--models` ranks by what `train_locator.py fit --models DIR` has
fitted without the instance's own repository: DIR/OWNER+NAME.json, and where there is none DIR/all.json.
Nothing but the trees and the texts is read, and with `--mirror` the commits up to an instance's `base` in the
bare repository DIR/OWNER+NAME/repo.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from acc_at import read_rows

from treemend.store.errors import TreemendError
from treemend.tools.git_data import GitRepository
from treemend.tools.git_history import Revision
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.localization.locate import rank_functions
from treemend.tools.localization.ranker import FIXED, Model, model_of

KEPT = 1000


def instances(path: Path) -> list[dict[str, Any]]:
    """The instances of a file, by repository and date, so that neighbours share most of their files."""
    return sorted(
        read_rows(path), key=lambda row: (row.get("repo", ""), row.get("created_at", ""), row["instance_id"])
    )


def function_name(path: str, qualified: str) -> str:
    """path::function or path::Class.method, whatever the class is in."""
    return f"{path}::{'.'.join(qualified.split('.')[-2:])}"


def past_of(instance: dict[str, Any], mirror: Path | None) -> Revision | None:
    """The commit that an instance begins from, in its own repository or the one that stands for it."""
    if mirror is None:
        return None
    owner, _, name = instance["repo"].partition("/")
    for place in (mirror / f"{owner}+{name}" / "repo", *mirror.glob(f"*+{owner}__{name}/repo")):
        if place.is_dir():
            return Revision(GitRepository(place, place, place, place), instance["base"])
    raise SystemExit(f"{mirror} has no repository of {instance['repo']}.")


def predict(
    instance: dict[str, Any], tree: Path, cache: Path, past: Revision | None, model: Model | None
) -> dict[str, Any]:
    with RepositoryIndex(tree, cache, past=past) as index:
        index.refresh()
        index.history()
        begun = time.process_time()
        hits = rank_functions(index, instance["problem_statement"], model)
        seconds = time.process_time() - begun
    return {
        "instance_id": instance["instance_id"],
        "functions": list(dict.fromkeys(function_name(hit.path, hit.name) for hit in hits))[:KEPT],
        "files": list(dict.fromkeys(hit.path for hit in hits))[:KEPT],
        "seconds": round(seconds, 3),
    }


class Indexes:
    """One index an instance, or one that goes from instance to instance where none is to be kept."""

    def __init__(self, folder: Path, *, are_kept: bool) -> None:
        self._folder = folder
        self._are_kept = are_kept
        self._last: dict[str, Path] = {}

    def path_for(self, instance: dict[str, Any]) -> Path:
        repo = instance.get("repo", "")
        path = self._folder / f"{instance['instance_id']}.sqlite3"
        last = self._last.get(repo)
        if not path.exists() and last is not None and last.exists():
            (shutil.copyfile if self._are_kept else shutil.move)(last, path)
        self._last[repo] = path
        return path


def file_name(repo: str) -> str:
    """The file of the model that was fitted without this repository."""
    return f"{repo.replace('/', '+')}.json"


def model_without(repo: str, models: Path) -> Model:
    path = models / file_name(repo)
    if not path.exists():
        path = models / "all.json"
    model = model_of(json.loads(path.read_text("utf-8")))
    if model is None:
        raise SystemExit(f"{path} was fitted on other features; fit it anew.")
    return model


def already_predicted(out: Path) -> set[str]:
    return {row["instance_id"] for row in read_rows(out)} if out.exists() else set()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--trees", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--caches", type=Path, help="Folder for indexes. (default: a temporary one)")
    parser.add_argument("--mirror", type=Path, help="Folder of bare repositories. (default: no past)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--fixed", action="store_true", help="Rank by the fixed sum of scores.")
    how.add_argument("--models", type=Path, help="Folder of models fitted without one repository each.")
    parser.add_argument("--only", default="", help="Only repositories with this in their names.")
    options = parser.parse_args()
    known, failed = already_predicted(options.out), 0
    with tempfile.TemporaryDirectory(prefix="treemend-localize-") as temporary, options.out.open("a") as out:
        indexes = Indexes(options.caches or Path(temporary), are_kept=options.caches is not None)
        for instance in instances(options.instances):
            name, repo = instance["instance_id"], instance.get("repo", "")
            if name in known or options.only not in repo:
                continue
            model = FIXED if options.fixed else None
            if options.models:
                model = model_without(repo, options.models)
            past = past_of(instance, options.mirror)
            try:
                row = predict(instance, options.trees / name, indexes.path_for(instance), past, model)
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
