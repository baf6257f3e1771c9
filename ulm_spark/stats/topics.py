"""Which words tell a topic, and how alike are two topics?"""

import numpy as np
from numpy.typing import NDArray

# Sievert & Shirley found people to know topics best by terms of this weight.
RELEVANCE_WEIGHT = 0.6


def term_relevance(p_terms: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each term says of each topic.

    In:     p_terms[t, w] = p(term w | topic t), rows that sum to 1, all above 0; shares[t], the topics' shares.
    Rule:   0.6 log p(w | t) + 0.4 log(p(w | t) / p(w)), so that words of every topic name none.
    Source: Sievert & Shirley (2014), Proc. Workshop on Interactive Language Learning, 63-70, equation 1.
    """
    p_all = shares @ p_terms / shares.sum()
    log_p = np.log(p_terms)
    relevance: NDArray[np.float64] = RELEVANCE_WEIGHT * log_p + (1 - RELEVANCE_WEIGHT) * (log_p - np.log(p_all))
    return relevance


def shared_mass(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n_first, n_second]: the probability that two topics share, 1 where they are the same, 0 where nothing is.

    In:   rows are distributions over the same terms.
    Rule: the sum over terms of the lesser probability, 1 less the total variation distance.
    """
    shared: NDArray[np.float64] = np.minimum(first[:, None, :], second[None, :, :]).sum(axis=2)
    return shared
