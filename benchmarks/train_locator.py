"""Fit the order of `locate`'s candidates on public issues with known fixes. Needs numpy.

    python benchmarks/train_locator.py features --instances FILE --trees DIR --features OUT [--mirror DIR]
    python benchmarks/train_locator.py fit --features OUT --out FITTED [--models DIR]

The first command writes one JSON object a line: instance, repository, gold functions, and names and features
of the candidates (no text of any issue, tree or commit); with --mirror those of the past, too, as
`localize.py` reads it. The second prints the figures of each repository by the parameters fitted on all
others, then fits on all and writes the parameters with the digest of OUT.
DIR gets those fitted without each repository, and all.json, as `localize.py --models` takes them.

The model is linear. Its loss is that of ListNet's top one (Cao et al., ICML 2007): the cross entropy
between the softmax of scores of an instance's candidates and the uniform distribution over its gold ones,
divided by the root of their number, plus an L2 penalty on standardized weights. It is convex: Newton's
method.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from acc_at import is_hit, read_rows, without_constructor
from localize import Indexes, already_predicted, file_name, function_name, instances, past_of

from treemend.store.records import Symptom
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.localization.evidence import gather_evidence
from treemend.tools.localization.features import FEATURES, PAST_FEATURES
from treemend.tools.localization.locate import cues_of

_PENALTY = 200.0
ALL = ""
Fit = tuple[Any, Any, Any]
_GOLD_MAX = 3
"""A fix of more functions says little about where an issue points."""
_ROUNDS, _SHORTEST, _CLOSE = 15, 1e-4, 1e-3


def write_features(rows: Iterable[dict[str, Any]], trees: Path, mirror: Path | None, target: Path) -> None:
    """Add the candidates of instances that aren't in `target` yet."""
    known = already_predicted(target)
    with tempfile.TemporaryDirectory() as folder, target.open("a") as out:
        indexes = Indexes(Path(folder), are_kept=False)
        for row in rows:
            if row["instance_id"] in known or len(row["gold_functions"]) > _GOLD_MAX:
                continue
            tree, cache = trees / row["instance_id"], indexes.path_for(row)
            with RepositoryIndex(tree, cache, past=past_of(row, mirror)) as index:
                index.refresh()
                cues = cues_of(Symptom(issue=row["problem_statement"]), index.connection)
                evidence = gather_evidence(index.connection, cues, index.history() if mirror else None)
            units = evidence.units
            found = {
                "instance_id": row["instance_id"],
                "repo": row["repo"],
                "gold": row["gold_functions"],
                "names": [
                    function_name(units.files[unit.file].path, unit.qualified)
                    for unit in map(units.by_id.__getitem__, evidence.candidates)
                ],
                "vectors": [evidence.vectors[candidate] for candidate in evidence.candidates],
            }
            out.write(json.dumps(found) + "\n")
            out.flush()


@dataclass
class Instance:
    """Candidates as rows of `vectors`; `is_gold` marks those that the fix changed."""

    repo: str
    names: list[str]
    gold: list[str]
    vectors: Any
    is_gold: Any


def read_instances(path: Path, np: Any) -> list[Instance]:
    found: list[Instance] = []
    for row in read_rows(path):
        gold = {without_constructor(name) for name in row["gold"]}
        marks = np.array([without_constructor(name) in gold for name in row["names"]], float)
        found.append(Instance(row["repo"], row["names"], row["gold"], np.array(row["vectors"]), marks))
    return found


def fit(data: Sequence[Instance], np: Any, penalty: float = _PENALTY) -> Fit:
    """Means and scales of the features, and their weights."""
    usable = [one for one in data if one.is_gold.any()]
    stacked = np.vstack([one.vectors for one in usable])
    means, scales = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    parts = [
        ((one.vectors - means) / scales, one.is_gold / one.is_gold.sum(), len(one.gold) ** -0.5)
        for one in usable
    ]
    weights = np.zeros(len(means))
    loss, gradient, curvature = _loss(parts, weights, penalty, np)
    for _ in range(_ROUNDS):
        step = np.linalg.solve(curvature, gradient)
        length = 1.0
        while length > _SHORTEST and _loss(parts, weights - length * step, penalty, np)[0] > loss:
            length /= 2
        weights = weights - length * step
        before = loss
        loss, gradient, curvature = _loss(parts, weights, penalty, np)
        if before - loss < _CLOSE:
            break
    return means, scales, weights


def _loss(
    parts: Sequence[tuple[Any, Any, float]], weights: Any, penalty: float, np: Any
) -> tuple[float, Any, Any]:
    """The loss with its gradient and its second derivative."""
    loss = 0.5 * penalty * float(weights @ weights)
    gradient = penalty * weights
    curvature = penalty * np.eye(len(weights))
    for x, wanted, importance in parts:
        scores = x @ weights
        top = scores.max()
        share = np.exp(scores - top)
        total = share.sum()
        share = share / total
        expected = share @ x
        loss += importance * float(top + np.log(total) - wanted @ scores)
        gradient = gradient + importance * (expected - wanted @ x)
        curvature = curvature + importance * ((x.T * share) @ x - np.outer(expected, expected))
    return loss, gradient, curvature


def accuracies(one: Instance, scores: Any, np: Any) -> list[float]:
    """Acc@1, 5, 10 and 100 of functions, and Acc@1 of files."""
    ranked = [one.names[at] for at in np.argsort(-scores, kind="stable")]
    functions, gold = [list(map(without_constructor, names)) for names in (ranked, one.gold)]
    files, gold_files = [[name.partition("::")[0] for name in names] for names in (ranked, one.gold)]
    hits = [is_hit(functions, gold, count) for count in (1, 5, 10, 100)]
    return [float(hit) for hit in (*hits, is_hit(files, gold_files, 1))]


def print_row(title: str, rows: Sequence[list[float]], np: Any) -> None:
    figures = "  ".join(f"{100 * value:5.1f}" for value in np.mean(rows, axis=0))
    print(f"{title:30s} {len(rows):4d}  {figures}")


def fit_all(data: Sequence[Instance], np: Any) -> dict[str, Fit]:
    """The fit without each repository, by its name, and the one on all as ALL."""
    repos = sorted({one.repo for one in data})
    return {repo: fit([one for one in data if one.repo != repo], np) for repo in repos} | {ALL: fit(data, np)}


def print_figures(data: Sequence[Instance], fits: Mapping[str, Fit], np: Any) -> None:
    """The figures of each repository by the parameters fitted on all others, and by the fixed sum."""
    print(f"{'repository':30s}    n   fn@1   fn@5  fn@10 fn@100 file@1")
    total: list[list[float]] = []
    for repo in sorted({one.repo for one in data}):
        means, scales, weights = fits[repo]
        own = [one for one in data if one.repo == repo]
        rows = [accuracies(one, (one.vectors - means) / scales @ weights, np) for one in own]
        print_row(repo, rows, np)
        total += rows
    print_row("all, own repository left out", total, np)
    means, scales, weights = fits[ALL]
    seen = [accuracies(one, (one.vectors - means) / scales @ weights, np) for one in data]
    print_row("all, seen in fitting", seen, np)
    column = FEATURES.index("sum")
    print_row("fixed sum", [accuracies(one, one.vectors[:, column], np) for one in data], np)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("features", "fit"))
    parser.add_argument("--instances", type=Path)
    parser.add_argument("--trees", type=Path)
    parser.add_argument("--mirror", type=Path)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    if options.command == "features":
        write_features(instances(options.instances), options.trees, options.mirror, options.features)
        return
    np: Any = import_module("numpy")
    data = read_instances(options.features, np)
    fits = fit_all(data, np)
    print_figures(data, fits, np)
    digest = hashlib.sha256(options.features.read_bytes()).hexdigest()
    if options.out:
        write_model(fits[ALL], len(data), digest, options.out)
    if options.models:
        options.models.mkdir(parents=True, exist_ok=True)
        for repo, fitted in fits.items():
            count = sum(one.repo != repo for one in data)
            name = "all.json" if repo == ALL else file_name(repo)
            write_model(fitted, count, digest, options.models / name)


def write_model(fitted: Fit, count: int, digest: str, target: Path) -> None:
    means, scales, weights = fitted
    model = {
        "fitted_on": {"instances": count, "features_sha256": digest},
        "features": (FEATURES + PAST_FEATURES)[: len(weights)],
        "means": [round(value, 6) for value in means.tolist()],
        "scales": [round(value, 6) for value in scales.tolist()],
        "weights": [round(value, 6) for value in weights.tolist()],
    }
    target.write_text(json.dumps(model, indent=1) + "\n")


if __name__ == "__main__":
    main()
