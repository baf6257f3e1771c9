"""What would a marketer call a segment whose users differ from the others in these ways?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

MIN_EFFECT = 0.35
N_WORDS = 2


@dataclass(frozen=True)
class Word:
    """What to say of a segment far above, or far below, all users in one feature.

    Words of one theme say nearly the same, so a name takes one of them, the first in WORDS that
    applies. Themes stand in a name in the order in which THEMES lists them. For buyers only: where
    hardly anyone bought, the noun says so already.
    """

    theme: str
    high: str
    low: str
    only_buyers: bool = False


THEMES = (
    "tenure",
    "recency",
    "pace",
    "depth",
    "search",
    "clicks",
    "returns",
    "carts",
    "price",
    "breadth",
    "value",
    "frequency",
)

WORDS: dict[str, Word] = {
    "tenure_days": Word("tenure", "long-standing", "new"),
    "recency_days": Word("recency", "lapsed", "recent", only_buyers=True),
    "inactive_days": Word("recency", "dormant", "active"),
    "n_orders_30d": Word("frequency", "frequent", "infrequent", only_buyers=True),
    "n_orders_90d": Word("frequency", "frequent", "infrequent", only_buyers=True),
    "n_orders_life": Word("frequency", "frequent", "infrequent", only_buyers=True),
    "n_purchase_days": Word("frequency", "frequent", "infrequent", only_buyers=True),
    "mean_purchase_gap_days": Word("frequency", "infrequent", "frequent", only_buyers=True),
    "net_revenue_30d": Word("value", "high-value", "low-value", only_buyers=True),
    "net_revenue_90d": Word("value", "high-value", "low-value", only_buyers=True),
    "net_revenue_life": Word("value", "high-value", "low-value", only_buyers=True),
    "mean_order_value": Word("value", "big-basket", "small-basket", only_buyers=True),
    "discount_share": Word("price", "bargain-seeking", "full-price", only_buyers=True),
    "return_rate": Word("returns", "often-returning", "", only_buyers=True),
    "cart_abandon_rate": Word("carts", "cart-abandoning", "decided"),
    "cart_rate": Word("carts", "decided", "hesitant"),
    "mean_dwell_s": Word("pace", "unhurried", "quick"),
    "mean_session_events_life": Word("depth", "long-visiting", "brief-visiting"),
    "search_share_life": Word("search", "searching", "strolling"),
    "click_rate": Word("clicks", "comparing", "skimming"),
    "n_products_90d": Word("breadth", "wide-ranging", "narrow-range", only_buyers=True),
    "n_categories_90d": Word("breadth", "wide-ranging", "narrow-range"),
    "category_entropy": Word("breadth", "wide-ranging", "narrow-range"),
    "n_sessions_7d": Word("recency", "often-visiting", "seldom-visiting"),
    "n_sessions_30d": Word("recency", "often-visiting", "seldom-visiting"),
    "n_sessions_90d": Word("recency", "often-visiting", "seldom-visiting"),
    "n_active_days_90d": Word("recency", "often-visiting", "seldom-visiting"),
    "n_views_30d": Word("recency", "much-browsing", "little-browsing"),
}


def name_segments(
    effects: Sequence[Mapping[str, float]], buyer_shares: Sequence[float], kept: Sequence[str | None] = ()
) -> tuple[str, ...]:
    """One distinct name a segment, such as "recent frequent buyers".

    In:   each segment's effect size by feature, and the share of its users that ever bought; kept: the name
          that a segment has already, None where it needs one, distinct; empty where all need one.
    Rule: the two themes with the largest effects of at least 0.35 standard deviations speak, the
          larger first chosen; equal names get more words, then a number; kept names stay.
    Edge: where fewer than one in ten ever bought they are "window shoppers", fewer than half "visitors"; a
          segment that differs in nothing else is "typical"; a single segment is "all users".
    """
    if len(effects) == 1:
        return ("all users",)
    taken = list(kept) or [None] * len(effects)
    ranked = [_ranked_words(effect, share) for effect, share in zip(effects, buyer_shares, strict=True)]
    nouns = [_noun(share) for share in buyer_shares]
    n_words = [N_WORDS] * len(effects)
    for _ in range(len(THEMES)):
        made = [_compose(words[:n], noun) for words, n, noun in zip(ranked, n_words, nouns, strict=True)]
        names = [old or new for old, new in zip(taken, made, strict=True)]
        equal = [i for i, name in enumerate(names) if names.count(name) > 1 and n_words[i] < len(ranked[i])]
        if not any(taken[i] is None for i in equal):
            break
        for i in equal:
            n_words[i] += 1
    return _numbered(names, taken)


def _numbered(names: Sequence[str], taken: Sequence[str | None]) -> tuple[str, ...]:
    """The names with a number behind those that are not kept and that others have too."""
    found = {name for name in taken if name}
    numbered = []
    for name, old in zip(names, taken, strict=True):
        choices = (f"{name} {number}" for number in count(1))
        if old is None and (names.count(name) > 1 or name in found):
            name = next(choice for choice in choices if choice not in found)
        found.add(name)
        numbered.append(name)
    return tuple(numbered)


def _ranked_words(effects: Mapping[str, float], buyer_share: float) -> list[tuple[int, str]]:
    """(place of the theme in a name, word), one a theme, the strongest effect first."""
    strength: dict[str, float] = {}
    texts: dict[str, str] = {}
    for feature, word in WORDS.items():
        effect = effects.get(feature, 0.0)
        text = word.high if effect > 0 else word.low
        if abs(effect) < MIN_EFFECT or not text or (word.only_buyers and buyer_share < 0.5):
            continue
        strength[word.theme] = max(abs(effect), strength.get(word.theme, 0.0))
        texts.setdefault(word.theme, text)
    order = sorted(texts, key=lambda theme: (-strength[theme], theme))
    return [(THEMES.index(theme), texts[theme]) for theme in order]


def _noun(buyer_share: float) -> str:
    if buyer_share < 0.1:
        return "window shoppers"
    return "buyers" if buyer_share >= 0.5 else "visitors"


def _compose(words: Sequence[tuple[int, str]], noun: str) -> str:
    if not words:
        return noun if noun == "window shoppers" else f"typical {noun}"
    return " ".join(text for _, text in sorted(words)) + f" {noun}"
