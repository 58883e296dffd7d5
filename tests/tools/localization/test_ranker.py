"""The parameters of the package, and what ranks without them."""

from __future__ import annotations

import pytest

from treemend.tools.localization.features import FEATURES
from treemend.tools.localization.ranker import FIXED, Model, model_of


def data(**changed: object) -> dict[str, object]:
    count = len(FEATURES)
    plain: dict[str, object] = {
        "features": list(FEATURES),
        "means": [1.0] * count,
        "scales": [2.0] * count,
        "weights": [0.5] * count,
    }
    return {**plain, **changed}


def test_a_model_is_a_weighted_sum_of_standardized_features() -> None:
    model = model_of(data())
    assert model is not None
    vector = [3.0, 0.0] + [1.0] * (len(FEATURES) - 2)
    assert model.score(vector) == pytest.approx(0.5 * 2.0 / 2.0 - 0.5 * 1.0 / 2.0, abs=1e-12)


def test_a_model_of_other_features_is_not_used() -> None:
    assert model_of(data(features=["size of the moon"])) is None


@pytest.mark.parametrize("broken", [{"weights": None}, {"means": ["x"]}, {"features": None}])
def test_broken_data_is_told_from_a_model(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        model_of(data(**broken))


def test_the_fixed_sum_is_one_feature() -> None:
    vector = [0.0] * len(FEATURES)
    vector[FEATURES.index("sum")] = 0.7
    assert isinstance(FIXED, Model)
    assert FIXED.score(vector) == 0.7
