"""Names of segments from their effects."""

from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.users.segment_conf import HABITS, PURCHASES
from ulm_spark.users.segment_names import THEMES, WORDS, name_segments


def test_the_two_strongest_themes_speak_in_a_fixed_order() -> None:
    effects = [{"n_orders_life": 1.5, "recency_days": -1.2, "discount_share": 0.9}, {"recency_days": 2.0}]
    assert name_segments(effects, [1.0, 1.0]) == ("recent frequent buyers", "lapsed buyers")


def test_two_features_of_one_theme_are_one_word() -> None:
    effects = [{"n_orders_life": 2.0, "n_orders_90d": 1.9, "mean_order_value": 0.5}, {"discount_share": 1.0}]
    assert name_segments(effects, [1.0, 1.0])[0] == "big-basket frequent buyers"


def test_the_word_of_a_theme_is_its_first_that_applies_whichever_is_stronger() -> None:
    effects = [{"inactive_days": 1.2, "recency_days": 1.1, "n_sessions_30d": -1.3}, {"inactive_days": -1.0}]
    assert name_segments(effects, [1.0, 1.0]) == ("lapsed buyers", "active buyers")
    assert name_segments(effects, [0.2, 1.0])[0] == "dormant visitors"


def test_who_hardly_bought_is_a_visitor_and_not_called_infrequent() -> None:
    effects = [{"n_orders_life": -2.0, "n_sessions_30d": 0.8}, {"n_orders_life": 1.0}]
    assert name_segments(effects, [0.1, 0.9]) == ("often-visiting visitors", "frequent buyers")
    assert name_segments(effects, [0.0, 0.9]) == ("often-visiting window shoppers", "frequent buyers")


def test_equal_names_take_more_words_then_a_number() -> None:
    strong = {"recency_days": -2.0, "n_orders_life": 2.0}
    effects = [{**strong, "discount_share": 1.0}, {**strong, "discount_share": -1.0}]
    assert name_segments(effects, [1.0, 1.0]) == (
        "recent bargain-seeking frequent buyers",
        "recent full-price frequent buyers",
    )
    assert name_segments([strong, strong], [1.0, 1.0]) == ("recent frequent buyers 1", "recent frequent buyers 2")


def test_kept_names_stay_and_the_others_keep_clear_of_them() -> None:
    effects = [{"recency_days": -2.0}, {"recency_days": -1.0, "discount_share": 0.5}, {"recency_days": -0.5}]
    names = name_segments(effects, [1.0, 1.0, 1.0], ["recent buyers", None, None])
    assert names == ("recent buyers", "recent bargain-seeking buyers", "recent buyers 1")
    assert name_segments(effects[:2], [1.0, 1.0], ["old guard", "x"]) == ("old guard", "x")


def test_a_segment_without_effects_is_typical_and_a_single_one_is_all() -> None:
    assert name_segments([{"recency_days": 0.1}, {"recency_days": 1.0}], [1.0, 1.0])[0] == "typical buyers"
    assert name_segments([{"recency_days": 0.0}], [0.0]) == ("all users",)


def test_every_word_has_a_theme_and_every_default_feature_a_word() -> None:
    assert {word.theme for word in WORDS.values()} <= set(THEMES)
    assert set(WORDS) <= set(USER_FEATURES.column_names)
    assert {*HABITS, *PURCHASES} <= set(WORDS)
