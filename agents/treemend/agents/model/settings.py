"""Which models a user names, and whether what they may cost can be bounded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from treemend.store.errors import UsageError
from treemend.store.records import Budget, ModelRole, Models

ROLES: tuple[ModelRole, ...] = get_args(ModelRole)
WRITTEN_MAX = 40
"""Candidates that models write in a run, where the user names no number of candidates: each costs."""
AFTER_MAX = 5
"""Candidates after the first plausible one, likewise."""


def parse_models(
    names: Sequence[str], *, api_base: str = "", record: str | Path = "", replay: str | Path = ""
) -> Models | None:
    """The models by role, None where none is named.

    A name is a model for all roles, or `role=model` for one; several for the same role are asked in turn
    where the ones before can't be reached.

    Raises:
        UsageError: an unknown role, or a role without a model.
    """
    general: list[str] = []
    by_role: dict[ModelRole, list[str]] = {}
    for name in names:
        role, equals, model = name.partition("=")
        if not equals:
            general.append(name.strip())
        elif role in ROLES and model.strip():
            by_role.setdefault(role, []).append(model.strip())
        else:
            raise UsageError(
                f"--model {name} names no role.", mend=f"Give a model, or one of {', '.join(ROLES)} = model."
            )
    if not names:
        if api_base or record or replay:
            raise UsageError("No model is named.", mend="Name one with --model.")
        return None
    # Judging costs a call for each plausible candidate: only a model that is named for it does so.
    chosen: dict[ModelRole, tuple[str, ...]] = {
        role: tuple(dict.fromkeys([*by_role.get(role, ()), *(general if role != "judge" else ())]))
        for role in ROLES
    }
    lacking = [role for role, chain in chosen.items() if not chain and role != "judge"]
    if lacking:
        raise UsageError(
            f"No model is named for {', '.join(lacking)}.", mend="Give one --model without a role."
        )
    if record and replay:
        raise UsageError("--record and --replay contradict each other.", mend="Give one of them.")
    return Models(
        names=chosen,
        api_base=api_base,
        record=str(Path(record).absolute()) if record else "",
        replay=str(Path(replay).absolute()) if replay else "",
    )


def check_prices(models: Models, budget: Budget) -> None:
    """Raises UsageError where dollars are bounded and the price of a model is unknown."""
    if budget.usd is None or models.replay:
        return
    from treemend.agents.model.prices import abilities_of

    for model in dict.fromkeys(name for chain in models.names.values() for name in chain):
        if abilities_of(model).price is None:
            raise UsageError(
                f"The price of {model} is unknown, so --budget-usd can't be kept.",
                mend="Bound it with --budget-tokens instead.",
            )


def model_budget(
    time_s: float | None,
    candidates: int | None,
    after: int | None,
    usd: float | None,
    tokens: int | None,
    models: Models | None,
) -> Budget:
    """The limits of a run; with a model, fewer candidates than where they cost nothing."""
    usual = Budget()
    written = None
    if models is not None:
        written = WRITTEN_MAX if candidates is None else None
        after = AFTER_MAX if after is None else after
    after = usual.after if after is None else after
    return Budget(time_s=time_s, candidates=candidates, after=after, usd=usd, tokens=tokens, written=written)
