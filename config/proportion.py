"""What a share proves: few cases prove little, so it is told with the bounds of its Wilson score interval.

E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.
"""

from __future__ import annotations

import math

Z = 1.959964
"""Quantile of the normal distribution for 95 %, two-sided."""


def bounds(hits: int, of: int) -> tuple[float, float] | None:
    """The 95 % bounds of `hits` of `of`, each 0..1; None when there is nothing to divide by."""
    if not of:
        return None
    share = hits / of
    middle = share + Z * Z / (2 * of)
    half = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    scale = 1 + Z * Z / of
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
