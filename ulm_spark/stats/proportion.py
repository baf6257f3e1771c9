"""How sure is a share of n?"""

import math

Z_95 = 1.959963985


def wilson_interval(share: float, n: float) -> tuple[float, float]:
    """The 95% score interval of a share observed on n.

    Rule:   (share + z^2/2n -+ z sqrt(share (1 - share)/n + z^2/4n^2)) / (1 + z^2/n).
    Edge:   nothing observed says nothing: 0 to 1.
    Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    if n <= 0:
        return 0.0, 1.0
    shrink = 1 + Z_95 * Z_95 / n
    centre = (share + Z_95 * Z_95 / (2 * n)) / shrink
    half = Z_95 / shrink * math.sqrt(share * (1 - share) / n + Z_95 * Z_95 / (4 * n * n))
    # Rounding may leave a share of 0 or 1 a hair outside.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
