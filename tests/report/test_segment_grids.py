from decimal import Decimal

from tests.report.shop_tables import full_tables, records
from ulm_spark.contracts import segments
from ulm_spark.report.segment_grids import model_grids, rfm_charts


def test_cells_sum_over_money_and_names_are_sorted_by_customers() -> None:
    cells = ((5, 5, 5, "champions", 30, 900), (5, 5, 4, "champions", 10, 50), (1, 1, 1, "hibernating", 60, 50))
    names = ("recency_score", "frequency_score", "monetary_score", "rfm_segment", "n_users", "revenue")
    rows = [dict(zip(names, (*cell[:5], Decimal(cell[5])), strict=True)) for cell in cells]
    (chart,) = rfm_charts(records(segments.RFM_GRID, rows), "EUR")
    assert [tuple(cell.text for cell in row) for row in chart.numbers.rows] == [
        ("hibernating", "60", "60.0%", "50", "5.0%"),
        ("champions", "40", "40.0%", "950", "95.0%"),
    ]
    assert "champions\\u003cbr\\u003e40" in chart.figure or "champions<br>40" in chart.figure
    assert rfm_charts((), "EUR") == ()


def test_models_are_listed_by_silhouette_and_the_chosen_one_is_marked() -> None:
    (grid,) = model_grids(full_tables())
    assert [tuple(cell.text for cell in row) for row in grid.rows] == [
        ("k-means", "chosen", "5", "0.410", "0.880"),
        ("Gaussian mixture", "", "4", "0.220", "–"),
    ]
