"""The source's columns into the fields of an event: first what the row says, as text, then typed."""

from collections.abc import Mapping

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, TimestampType

from ulm_spark.config.errors import ConfigError
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.fields import EVENT_FIELDS, FIELDS, FLAG_FIELDS, MAP_FIELDS, MONEY_FIELDS, WHOLE_FIELDS
from ulm_spark.events.money import amount_of, currency_code
from ulm_spark.events.parse import CONTENT, IS_PARSED, ROW

SAID = "_said"
OWN_FAILURE = "_own_failure"
FAILURE_TYPE = "STRUCT<reason: STRING, detail: STRING>"

# A day and, where there is more, a time behind it: Spark also takes a bare year, and a bare time as today's.
# Years of more digits are none that a shop has, and Spark's shift between zones fails on the largest of them.
_IS_DAY = r"^\d{4}-\d{1,2}-\d{1,2}([T ]+\d.*)?$"
_HAS_ZONE = r"\d:\d{1,2}(:\d{1,2}([.]\d*)?)?\s*[A-Za-z+-]"
_EPOCH = {"epoch_s": ("DECIMAL(18,6)", 1_000_000), "epoch_ms": ("DECIMAL(18,3)", 1_000)}
_MAP = "MAP<STRING,STRING>"
_BLANKS = " \t\r\n"


def say_fields(parsed: DataFrame, adapter: SourceAdapter) -> DataFrame:
    """What each row says of an event.

    In:   parse_rows' frame.
    Out:  _row; _is_parsed; _own_failure (reason and detail of the first of the adapter's own rules
          that the row breaks, else null); every field of an event, as text but for the map; blank
          text is null.
    Rule: a row without an event_id gets a hash of its columns, so that equal rows are one event.
    """
    expressions = {f"fields.{name}": sql for name, sql in adapter.fields.items() if name != "received_at"}
    conditions = {f"rules.{rule.reason}.when": rule.when for rule in adapter.rules}
    evolved = {f"evolves.{name}": f"`{name}`" for name in adapter.evolves}
    evaluated = _evaluate(parsed, adapter, {**expressions, **conditions, **evolved})
    failures = [
        F.when(
            F.col(f"`rules.{r.reason}.when`"),
            F.struct(F.lit(r.reason).alias("reason"), F.lit(r.detail).alias("detail")),
        )
        for r in adapter.rules
    ]
    own_failure = F.coalesce(*failures, F.lit(None).cast(FAILURE_TYPE))
    texts = {name: text_of(evaluated, adapter, name) for name in FIELDS if name != "received_at"}
    content_id = F.substring(F.sha2(F.concat(F.lit(f"{adapter.name}\n"), F.col(CONTENT)), 256), 1, 32)
    texts["attributes"] = _with_evolved(texts["attributes"], adapter)
    texts["event_id"] = F.coalesce(texts["event_id"], content_id)
    return evaluated.select(
        ROW, IS_PARSED, own_failure.alias(OWN_FAILURE), *(text.alias(name) for name, text in texts.items())
    )


def say_received_at(parsed: DataFrame, adapter: SourceAdapter) -> DataFrame:
    """When the lake learned of each row, by the row itself. Out: _row, own_received_at (null where it says nothing)."""
    evaluated = _evaluate(parsed, adapter, {"fields.received_at": adapter.fields["received_at"]})
    own = instant_of(text_of(evaluated, adapter, "received_at"), adapter.zone, adapter.time_unit)
    return evaluated.select(ROW, own.alias("own_received_at"))


def type_fields(said: DataFrame, adapter: SourceAdapter, zone: str, currency: str) -> DataFrame:
    """The columns of silver.events, typed; null where the text can't be read.

    In:   say_fields' frame. zone: the shop's. currency: of prices that come without one.
    Out:  _row, _is_parsed, _own_failure, _said (the texts, for the checks), then the columns of
          silver.events less the lineage.
    Edge: a flag that can't be read is true; an event without a product is no item's.
    """
    has_price = F.coalesce(*MONEY_FIELDS).isNotNull()
    flags = {
        name: F.coalesce(F.col(name).try_cast("boolean"), F.lit(True)) & F.col("product_id").isNotNull()
        for name in FLAG_FIELDS
    }
    own_currency = currency_code(F.col("currency"), adapter.currency_aliases)
    code = F.coalesce(own_currency, F.when(has_price, F.lit(currency)))
    is_minor = adapter.price_unit == "minor"
    typed: dict[str, Column] = {
        "event_at": instant_of(F.col("event_at"), adapter.zone, adapter.time_unit),
        "event_type": F.lower("event_type"),
        "currency": code,
        **{name: amount_of(F.col(name), code, is_minor) for name in MONEY_FIELDS},
        **{name: _whole(F.col(name)) for name in WHOLE_FIELDS},
        **flags,
    }
    texts = F.struct("event_at", *MONEY_FIELDS, *WHOLE_FIELDS, *FLAG_FIELDS).alias(SAID)
    fields = [typed.get(name, F.col(name)).alias(name) for name in EVENT_FIELDS if name != "event_on"]
    columns = said.select(ROW, IS_PARSED, OWN_FAILURE, texts, *fields)
    event_on = local_day(F.col("event_at"), zone)
    return columns.withColumn("event_on", event_on).select(ROW, IS_PARSED, OWN_FAILURE, SAID, *EVENT_FIELDS)


def local_day(instant: Column, zone: str) -> Column:
    """The shop's day of an instant in UTC."""
    return F.to_date(F.from_utc_timestamp(instant, zone))


def instant_of(text: Column, zone: str, time_unit: str) -> Column:
    """An instant in UTC. Text with a zone or an offset keeps it, other text is local time in zone."""
    if time_unit in _EPOCH:
        decimal_type, micros = _EPOCH[time_unit]
        return F.timestamp_micros((text.try_cast(decimal_type) * micros).cast("bigint"))
    instant = F.when(text.rlike(_IS_DAY), text.try_cast("timestamp"))
    return F.when(text.rlike(_HAS_ZONE), instant).otherwise(F.to_utc_timestamp(instant, zone))


def text_of(evaluated: DataFrame, adapter: SourceAdapter, name: str) -> Column:
    """One evaluated field as text, blank text as null; the map field as a map."""
    label = f"fields.{name}"
    if label not in evaluated.columns:
        return F.lit(None).cast(_MAP if name in MAP_FIELDS else "string")
    column, data_type = F.col(f"`{label}`"), evaluated.schema[label].dataType
    if name in MAP_FIELDS:
        if not isinstance(data_type, MapType):
            raise ConfigError(
                f"{adapter.path}: {label}: found an expression of type {data_type.simpleString()}; expected {_MAP}. "
                "Build it with map(...) or from_json(...)."
            )
        as_map = column.cast(_MAP)
        return F.when(F.size(as_map) > 0, as_map)
    text = (
        F.concat(column.cast("string"), F.lit("Z")) if isinstance(data_type, TimestampType) else column.cast("string")
    )
    trimmed = F.trim(text, F.lit(_BLANKS))
    return F.when(trimmed != "", trimmed)


def _with_evolved(attributes: Column, adapter: SourceAdapter) -> Column:
    """The attributes with what the row says in the columns of evolves; what the adapter maps itself stands."""
    if not adapter.evolves:
        return attributes
    own = F.coalesce(attributes, F.create_map().cast(_MAP))
    values = F.array(*(F.trim(F.col(f"`evolves.{name}`"), F.lit(_BLANKS)) for name in adapter.evolves))
    said = F.map_from_arrays(F.array(*map(F.lit, adapter.evolves)), values)
    new = F.map_filter(said, lambda name, value: (value != "") & ~F.map_contains_key(own, name))
    both = F.map_concat(own, new)
    return F.when(F.size(both) > 0, both)


def _whole(text: Column) -> Column:
    """A whole number, also where it is written 6.0; null for 6.5."""
    number = text.try_cast("DECIMAL(18,6)")
    return F.when(number == F.floor(number), number.try_cast("int"))


def _evaluate(parsed: DataFrame, adapter: SourceAdapter, expressions: Mapping[str, str]) -> DataFrame:
    """Adds the adapter's expressions under their place in its file. Errors: ConfigError that names the place."""
    kept = [F.col(ROW), F.col(IS_PARSED), F.col(CONTENT)]
    try:
        return parsed.select(*kept, *(F.expr(sql).alias(label) for label, sql in expressions.items()))
    except (AnalysisException, ParseException):
        for label, sql in expressions.items():
            try:
                parsed.select(*kept, F.expr(sql))  # as above, so that an aggregate is refused here too
            except (AnalysisException, ParseException) as error:
                what = next((line for line in str(error).splitlines() if line.strip()), "")
                raise ConfigError(
                    f"{adapter.path}: {label}: found an expression that Spark refuses; expected Spark SQL over "
                    f"{', '.join(adapter.all_columns)}. {what}"
                ) from error
        raise
