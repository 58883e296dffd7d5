"""The judge's words on candidates, kept with their run."""

from __future__ import annotations

from treemend.store.database import Store
from treemend.store.records import Judgement, RunId

DIVERSITY = "diversity"


def keep_judgement(store: Store, run_id: RunId, candidate: int, judgement: Judgement) -> None:
    store.put_blob(run_id, _name(candidate), judgement.model_dump_json().encode())


def judgement_of(store: Store, run_id: RunId, candidate: int) -> Judgement | None:
    """What the judge said of a candidate, None where it wasn't asked."""
    data = store.get_blob(run_id, _name(candidate))
    return None if data is None else Judgement.model_validate_json(data)


def _name(candidate: int) -> str:
    return f"judgement-{candidate}"


def keep_diversity(store: Store, run_id: RunId, diversity: float | None) -> None:
    """Record which part of the pairs of plausible candidates behaves differently, where that was seen."""
    if diversity is not None:
        store.put_blob(run_id, DIVERSITY, f"{diversity:.3f}".encode())


def diversity_of(store: Store, run_id: RunId) -> float | None:
    recorded = store.get_blob(run_id, DIVERSITY)
    return None if recorded is None else float(recorded)
