"""What was known of a user at the end of the day that a training example speaks of?"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.features import CATALOGUE
from ulm_spark.stats.histories import Asked, Histories
from ulm_spark.users.chunks import together, user_numbers, whole_users
from ulm_spark.users.feature_rules import Chunk
from ulm_spark.users.features import (
    OUTPUT,
    answers,
    engine_columns,
    in_contract_types,
)
from ulm_spark.users.market import join_market_on

_KEYS = ("user_id", "as_of")


def features_at(user_days: DataFrame, product_days: DataFrame, labels: DataFrame) -> DataFrame:
    """Each label with the features of its user as of its day: a point-in-time join.

    In:   silver.user_days, silver.product_days, any span; labels: user_id, as_of (a date, not null) and any other
          columns but those of the catalogue, in any number of rows a user and day.
    Out:  the labels' columns and, behind them, those of the catalogue: as many rows as labels.
    Rule: as build_features of the label's day says of the user. Labels travel with their users' rows through one
          exchange and one sort; a chunk of whole users is in memory at a time, however many labels there are.
    Edge: of a user who had done nothing by then all features are null.
    """
    others = [name for name in labels.columns if name not in _KEYS]
    # What the engine does not know travels with its row as one struct; a struct needs a field.
    carried = F.struct(F.lit(True).alias("_is_asked"), *others).alias("carried")
    asked = labels.select("user_id", F.unix_date("as_of").alias("day"), carried)
    dtype = asked.schema["carried"].dataType.simpleString()
    rows = user_days.select(*engine_columns(None)).unionByName(asked, allowMissingColumns=True)
    found = together(rows).mapInArrow(_answer_labels, f"{OUTPUT}, carried {dtype}")
    days = labels.select("as_of").distinct()
    joined = join_market_on(found, product_days, days)
    columns = [F.col(name) if name in _KEYS else F.col(f"carried.{name}") for name in labels.columns]
    return joined.select(*columns, *in_contract_types([f.name for f in CATALOGUE]))


def _answer_labels(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for table in whole_users(batches):
        carried = table.column("carried")
        is_label = carried.is_valid().to_numpy()
        if not is_label.any():
            continue
        user, day = user_numbers(table), table.column("day").to_numpy().astype(np.int64)
        histories = Histories(user[~is_label], day[~is_label])
        chunk = Chunk(table.filter(pa.array(~is_label)), histories)
        asked = Asked(histories, user[is_label], day[is_label])
        labels = table.filter(pa.array(is_label))
        answered = answers(chunk, asked, labels.column("user_id"))
        yield pa.RecordBatch.from_arrays(
            [*answered.columns, labels.column("carried").combine_chunks()], names=[*answered.schema.names, "carried"]
        )
