import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events.ingesting import small_shop
from ulm_spark.config.errors import SourceError
from ulm_spark.events.batch import InputFile
from ulm_spark.events.shape import refuse_bad_files, shape_of_csv

_SHOP = small_shop()
_NAMES = tuple(_SHOP.columns)


@given(st.permutations(_NAMES), st.lists(st.sampled_from(["x", "y z", 'q"q', "a,b"]), unique=True, max_size=3))
def test_columns_may_come_in_any_order_with_others_among_them(order: list[str], others: list[str]) -> None:
    header = io.StringIO()
    csv.writer(header, lineterminator="").writerow([*others, *order])
    shape = shape_of_csv(_SHOP, header.getvalue())
    assert shape.problem is None
    assert shape.n_columns == len(order) + len(others)
    assert [([*others, *order])[place] for place in shape.positions] == list(_NAMES)


def test_a_missing_column_is_named() -> None:
    shape = shape_of_csv(_SHOP, "at,kind,user,sku,n,order")
    assert shape.problem is not None
    assert shape.problem.startswith("missing price; expected columns at, kind")


def test_an_optional_column_may_be_missing() -> None:
    shape = shape_of_csv(small_shop(optional=("price",)), "at,kind,user,sku,n,order")
    assert shape.problem is None
    assert shape.positions == (0, 1, 2, 3, -1, 4, 5)


def test_a_column_named_twice_is_refused() -> None:
    assert "more than one price" in str(shape_of_csv(_SHOP, "at,kind,user,sku,price,n,order,price").problem)


def test_a_wrong_delimiter_is_said_to_be_one() -> None:
    assert "has no delimiter ','" in str(shape_of_csv(_SHOP, "at;kind;user;sku;price;n;order").problem)


def test_the_error_names_file_found_and_expected_columns() -> None:
    file = InputFile("file:/d/bad.csv", "file:/d/bad.csv", "bad.csv", 0, 10)
    shape = shape_of_csv(_SHOP, "at,kind")
    with pytest.raises(SourceError, match=r"bad\.csv: found columns at, kind: missing user, sku.*expected columns at"):
        refuse_bad_files(_SHOP, [file], [shape])
    assert SourceError("").exit_code == 3
