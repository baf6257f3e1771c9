"""Random numbers by address: the same (seed, stream, index, draw) gives the same number on any machine."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


class Stream(IntEnum):
    """What a number decides. Append only: a new law takes the next value, so that no old number moves."""

    PERSONA = 1
    SIGN_UP = 2
    CHANNEL = 3
    DEVICE = 4
    COUNTRY = 5
    BUYER = 6
    PURCHASE_RATE = 7
    DROPOUT_P = 8
    VISIT_RATE = 9
    INTEREST = 10
    FIRST_PURCHASE = 11
    PURCHASE_GAP = 12
    DROPOUT = 13
    N_VISITS = 14
    VISIT_TIME = 15
    VISIT_FADE = 16
    ECHO = 17
    N_STEPS = 18
    NEXT_ITEM = 19
    POPULAR_ITEM = 20
    SEARCH = 21
    CLICK = 22
    CART = 23
    REMOVE = 24
    UNITS = 25
    RETURN = 26
    REVIEW = 27
    RETURNED_UNITS = 28
    RATING = 29
    AFTERSALES_DELAY = 30
    DWELL = 31
    VISIT_GAP = 32
    VISIT_CHANNEL = 33
    VISIT_DEVICE = 34
    PROMOTION = 35
    DISCOUNT = 36
    ITEM_CATEGORY = 37
    ITEM_BRAND = 38
    ITEM_PRICE = 39
    ITEM_WORDS = 40
    ITEM_RANK = 41
    ITEM_LISTED = 42
    SUCCESSOR = 43
    BOT = 44


def philox4x32(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Four 32-bit words for each 128-bit counter.

    Rule:   ten rounds of the Philox-4x32 bijection; words are kept in 64 bits.
    Source: Salmon, Moraes, Dror & Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC'11.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0, k1 = (k0 + _KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + _KEY_STEPS[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


@dataclass(frozen=True)
class Draws:
    """All random numbers of one simulated shop, each at its address."""

    seed: int

    def uniform(self, stream: Stream, index: Ints, draw: Ints | int = 0) -> Floats:
        """One number strictly between 0 and 1 for each (index, draw).

        index: a user's or an item's number. draw: which of that index's numbers, below 2**32.
        """
        whole = index.astype(np.uint64)
        nth = np.broadcast_to(np.asarray(draw, dtype=np.uint64), whole.shape)
        fixed = np.full(whole.shape, int(stream), dtype=np.uint64)
        key = (self.seed & 0xFFFFFFFF, (self.seed >> 32) & 0xFFFFFFFF)
        high, low, _, _ = philox4x32((whole & _LOW, whole >> _SHIFT, nth, fixed), key)
        mantissa = ((high << _SHIFT) | low) >> np.uint64(11)
        uniform: Floats = mantissa.astype(np.float64) * 2.0**-53 + 2.0**-54
        return uniform

    def choice(self, stream: Stream, index: Ints, shares: Floats, draw: Ints | int = 0) -> Ints:
        """A category for each index. shares: [n_categories] or [len(index), n_categories], each row summing to 1."""
        uniform = self.uniform(stream, index, draw)
        edges = np.cumsum(shares, axis=-1)[..., :-1]
        return np.asarray((uniform[:, None] >= edges).sum(axis=1), dtype=np.int64)


def ordinals(groups: Ints) -> Ints:
    """0, 1, 2, ... within each run of equal values of a sorted array."""
    if groups.size == 0:
        return np.zeros(0, dtype=np.int64)
    is_first = np.r_[True, groups[1:] != groups[:-1]]
    starts = np.flatnonzero(is_first)
    position: Ints = np.arange(groups.size) - np.repeat(starts, np.diff(np.r_[starts, groups.size]))
    return position
