"""Which models a user names, and what is refused before anything is sent."""

from __future__ import annotations

import pytest

from treemend.agents.model.settings import check_prices, model_budget, parse_models
from treemend.agents.model_policy.cost import RoleCost, most_by_role
from treemend.store.errors import UsageError
from treemend.store.records import Budget, Models, Task


def test_one_model_thinks_in_all_roles_and_judges_only_where_it_is_named() -> None:
    models = parse_models(["openai/gpt-4o-mini"])
    assert models is not None
    assert {models.names[role] for role in ("plan", "code", "test")} == {("openai/gpt-4o-mini",)}
    assert models.names["judge"] == ()


def test_a_role_has_its_own_model_and_falls_back_on_the_common_ones() -> None:
    models = parse_models(["code=big", "small", "other"])
    assert models is not None
    assert models.names["code"] == ("big", "small", "other")
    assert models.names["plan"] == ("small", "other") and models.names["judge"] == ()


@pytest.mark.parametrize(
    "names, more",
    [
        (["cook=x"], {}),
        (["plan="], {}),
        (["plan=x"], {}),
        ([], {"api_base": "http://127.0.0.1:1/v1"}),
        (["x"], {"record": "a", "replay": "b"}),
    ],
)
def test_what_names_no_model_is_an_error(names: list[str], more: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        parse_models(names, **more)


def test_without_a_model_limits_are_as_ever() -> None:
    assert parse_models([]) is None
    assert model_budget(300.0, None, None, None, None, None) == Budget()


def one(name: str) -> Models:
    models = parse_models([name])
    assert models is not None
    return models


def test_F22_dollars_are_refused_where_the_price_is_unknown() -> None:
    check_prices(one("openai/gpt-4o-mini"), Budget(usd=1.0))
    check_prices(one("openai/never-heard-of"), Budget(tokens=1000))
    with pytest.raises(UsageError, match="price of openai/never-heard-of is unknown") as told:
        check_prices(one("openai/never-heard-of"), Budget(usd=1.0))
    assert "--budget-tokens" in told.value.mend


def test_a_dry_run_bounds_each_role() -> None:
    models = one("openai/gpt-4o-mini")
    few, many = (
        most_by_role(Task(repo="/r", models=models, budget=Budget(candidates=number))) for number in (2, 20)
    )
    assert [cost.role for cost in few] == ["plan", "code", "test"]
    assert all(a.tokens <= b.tokens and (a.usd or 0) <= (b.usd or 0) for a, b in zip(few, many, strict=True))
    assert sum(cost.usd or 0.0 for cost in few) > 0.0
    unknown = most_by_role(Task(repo="/r", models=one("openai/never-heard-of")))
    assert all(cost.usd is None and cost.tokens > 0 for cost in unknown)


def test_of_several_models_a_dry_run_counts_each_and_a_judge_where_it_is_named() -> None:
    def most(*names: str) -> dict[str, RoleCost]:
        models = parse_models(names)
        assert models is not None
        return {cost.role: cost for cost in most_by_role(Task(repo="/r", models=models))}

    one_model, other = most("openai/gpt-4o-mini"), most("openai/gpt-4.1-mini")
    both = most("openai/gpt-4o-mini", "openai/gpt-4.1-mini", "judge=openai/gpt-4o-mini")
    assert both["code"].usd == pytest.approx((one_model["code"].usd or 0.0) + (other["code"].usd or 0.0))
    assert both["code"].calls == 2 * one_model["code"].calls
    assert "judge" in both and "judge" not in one_model
