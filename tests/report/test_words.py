from datetime import date

import pytest

from ulm_spark.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (789.0, "789"), (45_600.0, "45.6k"), (1_230_000.0, "1.23M"), (-2.5e9, "−2.5B")],
)
def test_a_headline_number_has_three_figures_and_a_suffix(value: float | None, text: str) -> None:
    assert words.brief(value) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(None, 1, "–"), (0.1234, 1, "12.3%"), (0.0, 2, "0.00%"), (0.000004, 2, "<0.01%"), (-0.002, 0, "0%")],
)
def test_a_share_never_shows_as_nothing_unless_it_is_nothing(share: float | None, digits: int, text: str) -> None:
    assert words.percent(share, digits) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7440, "2 h 04 min")]
)
def test_times_are_written_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert words.seconds(seconds) == text


def test_a_chart_label_holds_no_tag_and_at_most_two_lines() -> None:
    assert words.label("<a href='x'>") == "&lt;a href='x'&gt;"
    assert words.label("one two three four five six", 10).count("<br>") == 1


def test_days_are_written_without_a_leading_zero() -> None:
    assert (words.day(date(2011, 12, 9)), words.month(date(2011, 12, 9))) == ("9 Dec 2011", "Dec 2011")
