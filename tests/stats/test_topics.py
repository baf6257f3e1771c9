"""Relevance of terms and likeness of topics."""

import numpy as np
import pytest

from ulm_spark.stats.topics import shared_mass, term_relevance


def test_a_word_of_every_topic_is_less_relevant_than_one_of_its_own() -> None:
    p_terms = np.array([[0.5, 0.4, 0.1], [0.5, 0.1, 0.4]])
    relevance = term_relevance(p_terms, np.array([0.5, 0.5]))
    assert relevance[0, 0] == pytest.approx(0.6 * np.log(0.5))
    assert relevance[0, 1] == pytest.approx(0.6 * np.log(0.4) + 0.4 * np.log(0.4 / 0.25))
    assert relevance[0].argmax() == 1
    assert relevance[1].argmax() == 2


def test_equal_topics_share_all_and_disjoint_ones_nothing() -> None:
    topics = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert shared_mass(topics, topics).tolist() == [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.5, 0.5, 1.0]]
