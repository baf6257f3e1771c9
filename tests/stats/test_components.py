"""Number and signs of components."""

import numpy as np

from ulm_spark.stats.components import count_components, orient_components


def test_the_least_number_that_explains_enough() -> None:
    ratios = np.array([0.5, 0.3, 0.15, 0.05])
    assert [count_components(ratios, share, 9) for share in (0.5, 0.51, 0.8, 1.0)] == [1, 2, 2, 4]
    assert count_components(ratios, 1.0, 2) == 2
    assert count_components(np.array([np.nan, np.nan]), 0.8, 2) == 0
    assert count_components(np.array([]), 0.8, 2) == 0


def test_the_largest_loading_is_positive_and_the_first_of_equals_decides() -> None:
    found = orient_components(np.array([[0.1, -0.9], [-0.5, 0.5 + 1e-12], [0.8, 0.2]]))
    assert found.tolist() == [[-0.1, 0.9], [0.5, -0.5 - 1e-12], [0.8, 0.2]]
