"""What does the report read? Plain rows of the small gold slices, with typed access."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal


@dataclass(frozen=True)
class Record:
    """One row of a table. Asking for a value of another type than the column's is a TypeError."""

    values: Mapping[str, object]

    def maybe_text(self, name: str) -> str | None:
        """A string, or None."""
        value = self.values[name]
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name}: found {type(value).__name__}; expected a string.")
        return value

    def text(self, name: str) -> str:
        """A string; empty for null."""
        return self.maybe_text(name) or ""

    def maybe_number(self, name: str) -> float | None:
        """A number as float; None for null and for NaN."""
        value = self.values[name]
        if value is None:
            return None
        if not isinstance(value, int | float | Decimal):
            raise TypeError(f"{name}: found {type(value).__name__}; expected a number.")
        number = float(value)
        return None if math.isnan(number) else number

    def number(self, name: str) -> float:
        """A number as float; 0 for null."""
        return self.maybe_number(name) or 0.0

    def count(self, name: str) -> int:
        """A whole number; 0 for null."""
        return int(self.number(name))

    def flag(self, name: str) -> bool:
        """A boolean; False for null."""
        return bool(self.values[name])

    def day(self, name: str) -> date:
        """A date; of an instant its UTC date."""
        value = self.values[name]
        if isinstance(value, datetime):
            return self.instant(name).date()
        if not isinstance(value, date):
            raise TypeError(f"{name}: found {type(value).__name__}; expected a date.")
        return value

    def instant(self, name: str) -> datetime:
        """A timestamp in UTC. Spark hands timestamps over without a zone, in that of this machine."""
        value = self.values[name]
        if not isinstance(value, datetime):
            raise TypeError(f"{name}: found {type(value).__name__}; expected a timestamp.")
        return value.astimezone(UTC)

    def measures(self, name: str) -> dict[str, float]:
        """A map of numbers, sorted by name; what is null or NaN is left out."""
        value = self.values[name]
        if not isinstance(value, Mapping):
            return {}
        numbers = Record({str(key): value[key] for key in value})
        found = {key: numbers.maybe_number(key) for key in sorted(numbers.values)}
        return {key: number for key, number in found.items() if number is not None}


Records = tuple[Record, ...]


@dataclass(frozen=True)
class ReportTables:
    """All that one report is made of; an empty tuple where a table has nothing for the day.

    Rows are those of the slice of as_of, with these exceptions. model_quality, churn_outcomes and
    recommendation_examples hold the latest slice not after as_of. churn_deciles is gold.churn_scores
    by risk_decile (n_users, mean_p_churn, horizon_days); segment_risk joins it to gold.user_segments
    by segment (n_scored, mean_p_churn). stage_counts is gold.user_stages by stage and model_stage
    (n_users). models are the ops.*_models, with the job that trained each.
    The order of rows does not matter: whoever shows them sorts them.
    """

    as_of: date
    daily_activity: Records = ()
    funnel: Records = ()
    retention: Records = ()
    user_retention: Records = ()
    daily_conversion: Records = ()
    daily_customers: Records = ()
    shop_metrics: Records = ()
    channel_acquisition: Records = ()
    segment_profiles: Records = ()
    segment_risk: Records = ()
    rfm_grid: Records = ()
    stage_counts: Records = ()
    stage_transitions: Records = ()
    churn_deciles: Records = ()
    churn_outcomes: Records = ()
    recommendation_examples: Records = ()
    model_quality: Records = ()
    models: Records = ()
    data_quality: Records = ()
    runs: Records = ()


def tables_of(as_of: date, rows: Mapping[str, Iterable[Mapping[str, object]]]) -> ReportTables:
    """The report's tables from plain rows by the names of ReportTables' fields; absent ones are empty."""
    found = {name: tuple(Record(row) for row in group) for name, group in rows.items()}
    return ReportTables(as_of, **found)
