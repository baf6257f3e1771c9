import numpy as np
import pytest

from ulm_spark.shop.counter_rng import Draws, Stream, ordinals, philox4x32

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES, ONES, ONES, ONES), (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_words_equal_the_published_test_vectors(counter, key, expected):
    words = philox4x32(tuple(np.full(1, c, dtype=np.uint64) for c in counter), key)
    assert tuple(int(word[0]) for word in words) == expected


def test_a_number_depends_on_its_address_alone():
    draws = Draws(3)
    together = draws.uniform(Stream.CART, np.arange(1000), 5)
    alone = draws.uniform(Stream.CART, np.asarray([777]), 5)
    assert together[777] == alone[0]
    assert not np.isclose(alone, draws.uniform(Stream.CLICK, np.asarray([777]), 5))
    assert not np.isclose(alone, draws.uniform(Stream.CART, np.asarray([777]), 6))
    assert not np.isclose(alone, Draws(4).uniform(Stream.CART, np.asarray([777]), 5))


def test_numbers_are_uniform_and_strictly_inside():
    numbers = Draws(1).uniform(Stream.CART, np.arange(200_000))
    assert 0 < numbers.min() < numbers.max() < 1
    assert np.abs(np.histogram(numbers, bins=20, range=(0, 1))[0] / 10_000 - 1).max() < 0.05


def test_choices_follow_their_shares():
    chosen = Draws(1).choice(Stream.PERSONA, np.arange(100_000), np.asarray([0.2, 0.5, 0.3]))
    assert np.abs(np.bincount(chosen) / 100_000 - [0.2, 0.5, 0.3]).max() < 0.006


def test_ordinals_count_within_runs():
    assert ordinals(np.asarray([4, 4, 7, 9, 9, 9])).tolist() == [0, 1, 0, 0, 1, 2]
    assert ordinals(np.zeros(0, dtype=np.int64)).size == 0


def test_every_stream_has_its_own_number():
    assert len({int(stream) for stream in Stream}) == len(list(Stream.__members__))
