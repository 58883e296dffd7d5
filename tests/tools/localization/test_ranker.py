"""The parameters of the package, and what ranks without them."""

from __future__ import annotations

import pytest

from treemend.tools.localization.evidence import FEATURES
from treemend.tools.localization.ranker import FIXED, Model, model_of


def data(**changed: object) -> dict[str, object]:
    count = len(FEATURES)
    plain: dict[str, object] = {
        "features": list(FEATURES),
        "means": [1.0] * count,
        "scales": [2.0] * count,
        "weights": [0.5] * count,
        "trees": [[[[0, 0.5, -1, 1], [1, 0.5, -2, -3]], [10.0, 20.0, 30.0]]],
    }
    return {**plain, **changed}


@pytest.mark.parametrize(("x0", "x1", "leaf"), [(0.5, 9.0, 10.0), (0.6, 0.5, 20.0), (0.6, 0.6, 30.0)])
def test_a_model_is_a_sum_of_weights_and_leaves(x0: float, x1: float, leaf: float) -> None:
    model = model_of(data())
    assert model is not None
    vector = [x0, x1] + [1.0] * (len(FEATURES) - 2)
    assert model.score(vector) == pytest.approx(0.25 * (x0 - 1.0) + 0.25 * (x1 - 1.0) + leaf, abs=1e-12)


def test_a_model_of_other_features_is_not_used() -> None:
    assert model_of(data(features=["size of the moon"])) is None


@pytest.mark.parametrize("broken", [{"trees": None}, {"means": ["x"]}, {"features": None}])
def test_broken_data_is_told_from_a_model(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        model_of(data(**broken))


def test_the_fixed_sum_is_one_feature() -> None:
    vector = [0.0] * len(FEATURES)
    vector[FEATURES.index("sum")] = 0.7
    assert isinstance(FIXED, Model)
    assert FIXED.score(vector) == 0.7
