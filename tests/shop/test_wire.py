import json

import pandas as pd

from tests.shop.conftest import Shop
from ulm_spark.contracts import truth
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.shop.wire import WIRE_COLUMNS


def test_keys_of_a_line_are_columns_of_the_events_table() -> None:
    assert set(WIRE_COLUMNS) < set(EVENTS.column_names)
    assert "source_session_id" not in WIRE_COLUMNS


def test_the_planted_visit_is_never_sent(shop: Shop) -> None:
    text = b"\n".join(bytes(line) for line in shop.lines.line)
    assert all(session.encode() not in text for session in shop.table(truth.EVENTS).session_id.unique()[:200])


def test_prices_fall_below_list_on_promotion_and_only_then(shop: Shop) -> None:
    kept = shop.kept()
    promotions = shop.table(truth.PROMOTIONS).set_index(["department", "promoted_on"]).discount_percent
    priced = kept[kept.unit_price.notna() & (kept.event_type != "return")]
    starts = shop.table(truth.EVENTS).groupby("session_id").event_at.transform("min")
    started_on = pd.Series(starts.dt.date.to_numpy(), index=shop.table(truth.EVENTS).event_id)
    keys = list(zip(priced.category.str.split("/").str[0], priced.event_id.map(started_on), strict=True))
    percent = promotions.reindex(keys).fillna(0).to_numpy()
    assert ((priced.list_price * (100 - percent) / 100 - priced.unit_price).abs() < 0.0051).all()
    assert 0.05 < (percent > 0).mean() < 0.5


def test_a_return_gives_back_the_price_paid(shop: Shop) -> None:
    kept = shop.kept()
    bought = kept[kept.event_type == "purchase"][["user_id", "product_id", "unit_price", "quantity"]]
    returned = kept[kept.event_type == "return"]
    matched = returned.merge(bought, on=["user_id", "product_id"], suffixes=("", "_bought"))
    fits = (matched.unit_price == matched.unit_price_bought) & (matched.quantity <= matched.quantity_bought)
    assert fits.groupby(matched.event_id).any().all()
    assert len(returned) > 20


def test_orders_hold_one_visit_of_one_user(shop: Shop) -> None:
    bought = shop.kept().query("event_type == 'purchase'")
    visit = shop.table(truth.EVENTS).set_index("event_id").session_id
    assert (bought.event_id.map(visit).groupby(bought.order_id).nunique() == 1).all()


def test_every_item_has_one_listing_in_two_languages(shop: Shop) -> None:
    listings = [json.loads(bytes(line)) for line in shop.lines.line[shop.lines.event_id.str.startswith("l")]]
    assert len(listings) == shop.conf.n_items
    assert {listing["product_id"] for listing in listings} == set(shop.table(truth.ITEMS).product_id)
    assert all(listing["attributes"].keys() == {"title_zh", "description", "description_zh"} for listing in listings)
    assert all("user_id" not in listing and listing["category"].count("/") == 2 for listing in listings)


def test_shoppers_with_more_sensitivity_buy_more_on_promotion(shop: Shop) -> None:
    kept = shop.kept()
    persona = shop.table(truth.USERS).set_index("user_id").persona
    bought = kept[kept.event_type == "purchase"]
    on_promotion = (bought.unit_price < bought.list_price).groupby(bought.user_id.map(persona)).mean()
    assert on_promotion["bargain_hunter"] > on_promotion["premium_buyer"]
