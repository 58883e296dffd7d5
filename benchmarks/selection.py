"""Measure the selectors on a recorded passing matrix: expected pass@1 of the set each puts first.

    python benchmarks/selection.py MATRIX.npz [--draws 20] [--seed 0]

MATRIX.npz holds, for each problem NNN, recorded programs executed against recorded asserts that a
model wrote: NNN_codes (programs x asserts, 1 = passes), NNN_hash (the value that each program
computed), NNN_gold (1 = program is right), NNN_load (100 = loads), and how often each program and
assert was sampled (NNN_scount, NNN_tcount5). Gold labels score; no selector sees them.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
import zipfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from treemend.verify.b4 import B4, Priors
from treemend.verify.codet import CodeT, MaxPass
from treemend.verify.selection import GroupScore, PassMatrix, Selector, consensus_sets

TYPE_CODES = {"|u1": "B", "<u2": "H", "<u4": "I"}
BUDGETS = ((5, 3), (5, 30), (10, 10), (10, 100), (20, 30), (35, 60), (50, 100), (100, 100))


@dataclass(frozen=True)
class Problem:
    """Distinct programs by distinct asserts, and how often each was sampled."""

    passes: list[tuple[bool, ...]]
    outputs: list[tuple[int, ...]]
    right: list[bool]
    loads: list[bool]
    program_copies: list[int]
    assert_copies: list[int]


class Random:
    """Tells no program from another."""

    def scores(self, matrix: PassMatrix) -> tuple[GroupScore, ...]:
        return tuple(GroupScore(group, 0.0) for group in consensus_sets(matrix))


SELECTORS: Mapping[str, Selector] = {
    "random": Random(),
    "MaxPass": MaxPass(),
    "CodeT": CodeT(),
    "B4 1e3,10": B4(Priors(1e3, 10)),
    "B4 1e4,100": B4(Priors(1e4, 100)),
    "B4 1e4,1e3": B4(Priors(1e4, 1e3)),
    "B4 1e5,1e3": B4(Priors(1e5, 1e3)),
    "B4 1e6,1e3": B4(Priors(1e6, 1e3)),
    "B4 adapted": B4(),
}


def read_array(archive: zipfile.ZipFile, name: str) -> tuple[array[int], tuple[int, ...]]:
    """Return the items of an unsigned C-ordered .npy member, and its shape."""
    data = archive.read(f"{name}.npy")
    if data[:6] != b"\x93NUMPY":
        raise SystemExit(f"{name}.npy is no NumPy array")
    start = 10 if data[6] == 1 else 12  # version 1 has two bytes of header length, later ones four
    length = int.from_bytes(data[8:start], "little")
    header = ast.literal_eval(data[start : start + length].decode())
    items = array(TYPE_CODES[header["descr"]], data[start + length :])
    if sys.byteorder == "big":
        items.byteswap()
    return items, tuple(header["shape"])


def rows(archive: zipfile.ZipFile, name: str) -> list[tuple[int, ...]]:
    items, (height, width) = read_array(archive, name)
    return [tuple(items[row * width : (row + 1) * width]) for row in range(height)]


def column(archive: zipfile.ZipFile, name: str) -> list[int]:
    return list(read_array(archive, name)[0])


def load(path: Path) -> list[Problem]:
    with zipfile.ZipFile(path) as archive:
        numbers = sorted({name.split("_")[0] for name in archive.namelist()})
        return [
            Problem(
                passes=[tuple(c == 1 for c in row) for row in rows(archive, f"{number}_codes")],
                outputs=rows(archive, f"{number}_hash"),
                right=[gold == 1 for gold in column(archive, f"{number}_gold")],
                loads=[loads == 100 for loads in column(archive, f"{number}_load")],
                program_copies=column(archive, f"{number}_scount"),
                assert_copies=column(archive, f"{number}_tcount5"),
            )
            for number in numbers
        ]


def repeated(copies: Sequence[int]) -> list[int]:
    """Return each index as often as its number of copies says."""
    return [index for index, count in enumerate(copies) for _ in range(count)]


def matrix_of(
    problem: Problem, programs: Sequence[int], asserts: Sequence[int], outputs: bool = False
) -> PassMatrix:
    cells = tuple(tuple(problem.passes[i][j] for j in asserts) for i in programs)
    if not outputs:
        return PassMatrix(cells)
    classes: dict[tuple[int, ...], str] = {}
    names = (classes.setdefault(problem.outputs[i], str(len(classes))) for i in programs)
    return PassMatrix(cells, tuple(names))


def pass_at_1(selector: Selector, matrix: PassMatrix, right: Sequence[bool]) -> float:
    """Return the share of right programs in the sets with the highest score (ties are one set)."""
    scores = selector.scores(matrix)
    best = max(scored.score for scored in scores)
    chosen = [row for s in scores if s.score == best for row in s.group.members]
    return fmean(right[row] for row in chosen)


Case = tuple[PassMatrix, list[bool]]


def measure(cases: Iterable[Case]) -> dict[str, float]:
    """Return each selector's mean over all cases, and the oracle's."""
    got: dict[str, list[float]] = {name: [] for name in (*SELECTORS, "oracle")}
    for matrix, right in cases:
        for name, selector in SELECTORS.items():
            got[name].append(pass_at_1(selector, matrix, right))
        got["oracle"].append(float(any(right)))
    return {name: fmean(values) for name, values in got.items()}


def sampled(problem: Problem, outputs: bool = False, passing: bool = False) -> Case:
    """All samples, the first five asserts of each, repeats included.

    `passing` leaves out programs that pass no assert (unless none passes any), as CodeT does.
    """
    programs, asserts = repeated(problem.program_copies), repeated(problem.assert_copies)
    if passing:
        passers = [i for i in programs if any(problem.passes[i][j] for j in asserts)]
        programs = passers or programs
    return matrix_of(problem, programs, asserts, outputs), [problem.right[i] for i in programs]


def distinct(problem: Problem) -> Case:
    """B4's protocol: distinct programs that load, distinct asserts."""
    programs = [i for i, loads in enumerate(problem.loads) if loads]
    matrix = matrix_of(problem, programs, range(len(problem.assert_copies)))
    return matrix, [problem.right[i] for i in programs]


def solvable(problems: Sequence[Problem], below: float) -> list[Problem]:
    """Return problems where the share of right programs among the distinct is in (0, below)."""

    def share(problem: Problem) -> float:
        return fmean(
            [right for right, loads in zip(problem.right, problem.loads, strict=True) if loads] or [False]
        )

    return [p for p in problems if p.assert_copies and 0 < share(p) < below]


def drawn(problem: Problem, draw: random.Random, programs: int, asserts: int) -> Case:
    """N distinct programs that load, drawn with replacement; M asserts, without."""
    loading = [i for i, loads in enumerate(problem.loads) if loads]
    chosen = draw.choices(loading, k=programs)
    count = len(problem.assert_copies)
    columns = draw.sample(range(count), min(asserts, count))
    return matrix_of(problem, chosen, columns), [problem.right[i] for i in chosen]


def settings(problems: Sequence[Problem], draws: int, seed: int) -> Iterable[tuple[str, Iterable[Case]]]:
    """Yield each setting's title and its cases."""
    yield "samples", map(sampled, problems)
    yield "samples, output classes", (sampled(p, outputs=True) for p in problems)
    yield "samples that pass something", (sampled(p, passing=True) for p in problems)
    yield (
        "samples that pass something, output classes",
        (sampled(p, outputs=True, passing=True) for p in problems),
    )
    for below in (1.0, 0.5, 0.2):
        chosen = solvable(problems, below)
        yield f"distinct, 0 < p < {below:g} ({len(chosen)} problems)", map(distinct, chosen)
    chosen = solvable(problems, 1.0)
    for n, m in BUDGETS:
        draw = random.Random(f"{seed} {n} {m}")
        yield f"N = {n}, M = {m}", [drawn(p, draw, n, m) for _ in range(draws) for p in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("matrix", type=Path)
    parser.add_argument("--draws", type=int, default=20, help="per problem and budget")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    problems = load(options.matrix)
    names = (*SELECTORS, "oracle")
    print("| setting | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for title, cases in settings(problems, options.draws, options.seed):
        measured = measure(cases)
        print(f"| {title} | " + " | ".join(f"{measured[n]:.4f}" for n in names) + " |", flush=True)


if __name__ == "__main__":
    main()
