"""A made-up shop's gold slices as the report reads them: every table filled, a fixed seed, no clock."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tests.report import metric_rows
from ulm_spark.contracts import gold, metrics, ops, segments
from ulm_spark.contracts.stages import STAGE_MODELS, STAGE_TRANSITIONS, STAGES
from ulm_spark.contracts.table import Table
from ulm_spark.report.records import Record, Records, ReportTables

AS_OF = date(2011, 11, 9)
HOSTILE = "<script>alert('title')</script> & \"quoted\" mug"
FEATURES = {
    "recency_days": (41.0, 30.0),
    "n_orders_90d": (1.9, 2.2),
    "net_revenue_life": (811.4, 1650.0),
    "mean_order_value": (298.2, 210.0),
    "n_sessions_30d": (3.4, 3.0),
    "cart_abandon_rate": (0.61, 0.22),
    "category_entropy": (1.12, 0.5),
    "return_rate": (0.031, 0.09),
}
LABELS = ("Occasional buyers", "New and browsing", "Regulars with high value", "Lapsed", "Wholesale, many units")
SIZES = (1840, 1122, 760, 511, 118)


def records(table: Table, rows: Sequence[Mapping[str, object]]) -> Records:
    """Rows with every column of the table; what a row does not name is None, and as_of is the day."""
    known = set(table.column_names)
    found = []
    for row in rows:
        assert set(row) <= known, f"{table.name} has no column {sorted(set(row) - known)}"
        values: dict[str, object] = {name: row.get(name) for name in table.column_names}
        if "as_of" in known:
            values["as_of"] = row.get("as_of", AS_OF)
        found.append(Record(values))
    return tuple(found)


def _days() -> Records:
    draw = random.Random(7)
    rows: list[dict[str, object]] = []
    for n in range(344, -1, -1):
        on = AS_OF - timedelta(days=n)
        if on.weekday() == 5:
            continue
        level = 60 + 0.12 * (344 - n) + (45 if on.month in (10, 11) else 0)
        sessions = int(level * (0.55 if on.weekday() == 6 else 1.0) * draw.uniform(0.8, 1.2))
        gross = Decimal(str(round(sessions * 310 * draw.uniform(0.7, 1.4), 2)))
        rows.append(
            {
                "day_on": on,
                "n_events": sessions * 9,
                "n_sessions": sessions,
                "n_users": sessions - 5,
                "n_orders": sessions // 2,
                "gross_revenue": gross,
                "net_revenue": gross * Decimal("0.97"),
                "currency": "GBP",
            }
        )
    return records(gold.DAILY_ACTIVITY, rows)


def _retention() -> Records:
    draw = random.Random(3)
    rows: list[dict[str, object]] = []
    months = [date(2010, 12, 1), *(date(2011, month, 1) for month in range(1, 12))]
    for place, cohort in enumerate(months):
        users = int(380 * draw.uniform(0.5, 1.3))
        for since in range(len(months) - place):
            share = 1.0 if since == 0 else draw.uniform(0.16, 0.38) * (1.25 if place == 0 else 1.0)
            is_last = place + since == len(months) - 1
            rows.append(
                {
                    "cohort_on": cohort,
                    "months_since": since,
                    "n_users": users,
                    "n_retained": int(users * share * (0.3 if is_last and since else 1.0)),
                    "is_complete": not is_last,
                }
            )
    return records(gold.RETENTION, rows)


def _profiles() -> Records:
    draw = random.Random(11)
    rows: list[dict[str, object]] = []
    for segment, (name, users) in enumerate(zip(LABELS, SIZES, strict=True)):
        for feature, (mean, deviation) in FEATURES.items():
            effect = draw.gauss(0.0, 0.8)
            rows.append(
                {
                    "segment": segment,
                    "label": name,
                    "n_users": users,
                    "feature": feature,
                    "segment_mean": max(0.0, mean + effect * deviation),
                    "overall_mean": mean,
                    "effect_size": effect,
                }
            )
    return records(gold.SEGMENT_PROFILES, rows)


def _rfm() -> Records:
    draw = random.Random(13)
    names = ("hibernating", "about to sleep", "at risk", "loyal", "champions")
    rows: list[dict[str, object]] = [
        {
            "recency_score": recency,
            "frequency_score": frequency,
            "monetary_score": frequency,
            "rfm_segment": names[(recency + frequency) // 2 - 1],
            "n_users": draw.randrange(20, 400),
            "revenue": Decimal(draw.randrange(1000, 90_000)),
        }
        for recency in range(1, 6)
        for frequency in range(1, 6)
        if (recency, frequency) != (5, 1)
    ]
    return records(segments.RFM_GRID, rows)


def _outcomes() -> Records:
    shares = (0.09, 0.15, 0.21, 0.24, 0.33, 0.42, 0.47, 0.58, 0.66, 0.81)
    return records(
        gold.CHURN_OUTCOMES,
        [
            {"risk_decile": n + 1, "n_users": 214, "mean_p_churn": 0.06 + 0.083 * n, "churn_rate": share}
            for n, share in enumerate(shares)
        ],
    )


def _examples() -> Records:
    titles = (
        "White hanging heart t-light holder",
        HOSTILE,
        "Jumbo bag red retrospot",
        "蓝色陶瓷茶壶（带滤网）",
        "Assorted colour bird ornament",
        "Set of 3 cake tins pantry design",
        "Regency cakestand 3 tier",
    )
    rows: list[dict[str, object]] = []
    for user in range(4):
        for start, name in enumerate(("history", "als", "popularity", "sequence")):
            for place in range(1, 8):
                title = titles[(user + 2 * start + place) % len(titles)]
                rows.append(
                    {
                        "user_id": f"1{user}583",
                        "list_name": name,
                        "place": place,
                        "product_id": f"8{place}12{start}",
                        "title": None if place == 6 else title,
                        "is_hit": name != "history" and (user + start + place) % 7 == 0,
                    }
                )
    return records(gold.RECOMMENDATION_EXAMPLES, rows)


def _quality() -> Records:
    def row(task: str, model: str, metric: str, *figures: float | None, n: int = 1904) -> dict[str, object]:
        value, low, high, baseline, diff_low, diff_high = figures
        return {
            "task": task,
            "model": model,
            "metric": metric,
            "value": value,
            "value_low": low,
            "value_high": high,
            "baseline": None if baseline is None else {"churn": "recency", "items": "popularity"}[task],
            "baseline_value": baseline,
            "difference_low": diff_low,
            "difference_high": diff_high,
            "n": n,
            "protocol": {
                "churn": "Buyers of the 90 days before the day; no purchase in 30 days after it",
                "items": "Products first bought in the 30 days after the day, ranked among all products",
                "sessions": "Our sessions against the source's own session ids",
            }[task],
        }

    return records(
        gold.MODEL_QUALITY,
        [
            row("churn", "gbt", "auc", 0.7934, 0.7711, 0.8142, 0.7506, 0.0251, 0.0612),
            row("churn", "gbt", "log_loss", 0.5312, 0.5102, 0.5533, 0.5871, -0.0783, -0.0341),
            row("items", "als", "hit_rate@10", 0.1581, 0.1429, 0.1744, 0.1187, 0.0262, 0.0528),
            row("items", "als", "ndcg@10", 0.0461, 0.0409, 0.0515, 0.0331, 0.0083, 0.0176),
            row("items", "sequence", "hit_rate@10", 0.1702, 0.1541, 0.1869, 0.1187, 0.0369, 0.0661),
            row("items", "sequence", "ndcg@10", 0.0337, 0.0301, 0.0398, 0.0331, -0.0021, 0.0035),
            row("sessions", "gap_30_min", "adjusted_rand_index", 0.9712, None, None, None, None, None, n=17434),
        ],
    )


def _runs() -> Records:
    jobs = {
        "ingest_events": 41.2,
        "build_products": 6.6,
        "sessionize": 12.4,
        "build_orders": 9.9,
        "build_user_features": 14.1,
        "segment_users": 33.0,
        "train_churn": 51.7,
        "score_churn": 7.7,
        "train_als": 18.2,
        "recommend_items": 11.3,
        "train_sequence": 214.9,
        "recommend_next_items": 22.8,
        "evaluate_models": 16.0,
    }
    rows: list[dict[str, object]] = []
    began = datetime(2011, 11, 10, 2, 0, tzinfo=UTC)
    for n, (job, seconds) in enumerate(jobs.items()):
        failed = job == "train_sequence"
        for status in ("failed", "done") if failed else ("done",):
            rows.append(
                {
                    "run_id": f"{n:04d}{status}",
                    "job": job,
                    "status": status,
                    "started_at": began,
                    "seconds": seconds,
                    "config_hash": "c0ffee",
                    "code_version": "0.1.0",
                    "inputs": {},
                    "outputs": {},
                    "rows_in": 541909 if job == "ingest_events" else None,
                    "rows_out": 531285,
                    "rows_quarantined": 10624 if job == "ingest_events" else 0,
                    "message": "rank 1 ended early" if status == "failed" else None,
                }
            )
            began += timedelta(seconds=seconds)
    return records(ops.RUNS, rows)


def full_tables() -> ReportTables:
    """Every table filled, the churn outcome known."""
    steps = (("visit", 4120, 2210), ("view", 3904, 2144), ("cart", 1377, 902), ("purchase", 731, 655))
    reasons = {
        "kept": 531285,
        "duplicate": 5268,
        "bad_quantity": 2515,
        "bad_unit_price": 2512,
        "bad_event_at": 327,
        "missing_product_id": 2,
    }
    deciles = [
        {"risk_decile": n + 1, "n_users": 231, "mean_p_churn": 0.05 + 0.08 * n, "horizon_days": 30} for n in range(10)
    ]
    return ReportTables(
        as_of=AS_OF,
        daily_activity=_days(),
        funnel=records(
            gold.FUNNEL,
            [
                {"step": n + 1, "step_name": name, "n_sessions": sessions, "n_users": users}
                for n, (name, sessions, users) in enumerate(steps)
            ],
        ),
        retention=_retention(),
        user_retention=records(metrics.USER_RETENTION, metric_rows.retention_rows(AS_OF)),
        daily_conversion=records(metrics.DAILY_CONVERSION, metric_rows.conversion_rows(AS_OF)),
        daily_customers=records(metrics.DAILY_CUSTOMERS, metric_rows.customer_rows(AS_OF)),
        shop_metrics=records(metrics.SHOP_METRICS, metric_rows.figure_rows()),
        channel_acquisition=records(metrics.CHANNEL_ACQUISITION, metric_rows.channel_rows()),
        segment_profiles=_profiles(),
        segment_risk=tuple(
            Record({"segment": n, "n_scored": size // 3, "mean_p_churn": 0.2 + 0.12 * n})
            for n, size in enumerate(SIZES)
        ),
        rfm_grid=_rfm(),
        stage_counts=tuple(
            Record({"stage": by_rules, "model_stage": by_model, "n_users": 20 + 150 * (by_rules == by_model)})
            for by_rules in STAGES
            for by_model in STAGES
        ),
        stage_transitions=records(
            STAGE_TRANSITIONS,
            [
                {
                    "model": model,
                    "period_on": AS_OF - timedelta(days=7 * ago),
                    "from_stage": came,
                    "to_stage": went,
                    "n": 900 if i == j else 40 - 5 * ago,
                }
                for model in STAGE_MODELS
                for ago in range(6)
                for i, came in enumerate(STAGES)
                for j, went in enumerate(STAGES)
                if j - i in (0, 1)
            ],
        ),
        churn_deciles=tuple(Record(row) for row in deciles),
        churn_outcomes=_outcomes(),
        recommendation_examples=_examples(),
        model_quality=_quality(),
        models=tuple(
            Record(
                {
                    "as_of": AS_OF,
                    "model": model,
                    "n_rows": n_rows,
                    "metrics": metrics,
                }
            )
            for model, n_rows, metrics in (
                ("train_als", 267612, {"rank": 64.0, "ndcg@10_validation": 0.0448}),
                ("train_churn", 6120, {"auc_validation": 0.801}),
                (
                    "segment_users",
                    4351,
                    {
                        "n_segments": 5.0,
                        "is_chosen_kmeans_k5": 1.0,
                        "silhouette_kmeans_k5": 0.41,
                        "stability_kmeans_k5": 0.88,
                        "silhouette_gaussian_mixture_k4": 0.22,
                    },
                ),
                ("train_sequence", 4210, {"loss": 5.121, "epochs": 12.0, "ranks": 2.0}),
            )
        ),
        data_quality=records(
            gold.DATA_QUALITY,
            [{"source": "online_retail", "outcome": name, "n_rows": n} for name, n in reasons.items()],
        ),
        runs=_runs(),
    )
