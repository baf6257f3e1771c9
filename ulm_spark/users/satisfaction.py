"""How content are customers: what do they rate, and would they recommend the shop?"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.users.windows import in_last

NPS_ATTRIBUTE = "nps"
# Whole numbers 0 to 10 as a source may write them: 9, 09 and 9.0 are one answer.
_IS_ANSWER = r"^\s*0*(10|[0-9])(\.0*)?\s*$"


def sum_ratings(events: DataFrame, as_of: date, zone: str, window_days: Sequence[int]) -> DataFrame:
    """One row of review scores, as known at the end of as_of.

    In:   silver.events, any span.
    Out:  rating_sum_N, n_ratings_N and n_satisfied_N for each window of N days.
    Rule: every review event with a rating of 1 to 5, guests' too; satisfied are 4 and 5.
    Edge: a review without a rating is none; a sum over no rating is null.
    """
    is_rated = (F.col("event_type") == "review") & F.col("rating").between(1, 5)
    rated = events.where(is_rated & (F.col("event_at") < F.lit(end_of(as_of, zone)))).select("event_on", "rating")
    figures = []
    for n in window_days:
        inside = F.when(in_last(n, "event_on", as_of), F.col("rating"))
        figures += [
            F.sum(inside).alias(f"rating_sum_{n}"),
            F.count(inside).alias(f"n_ratings_{n}"),
            F.count_if(inside >= 4).alias(f"n_satisfied_{n}"),
        ]
    return rated.agg(*figures)


def sum_answers(events: DataFrame, as_of: date, zone: str, window_days: Sequence[int]) -> DataFrame:
    """One row of answers to "would you recommend us", as known at the end of as_of.

    In:     silver.events, any span; attributes['nps'] is an answer from 0 to 10 where the source has one.
    Out:    n_answers_N, n_promoters_N and n_detractors_N for each window of N days.
    Rule:   a shopper's event of any kind can carry an answer. Of a user's answers the last by as_of counts, ties
            in time by event_id, in the windows that its day is in; an answer without a user counts by itself.
            Promoters answer 9 or 10, detractors 0 to 6. Stars of reviews are no answers.
    Edge:   what is no whole number from 0 to 10 is no answer.
    Source: Reichheld (2003), Harvard Business Review 81(12), 46-54.
    """
    answer = F.col("attributes")[NPS_ATTRIBUTE]
    is_known = F.col("event_type").isin(*SHOPPER_EVENT_TYPES) & (F.col("event_at") < F.lit(end_of(as_of, zone)))
    score = F.regexp_extract(answer, _IS_ANSWER, 1).cast("int").alias("score")
    whose = F.coalesce(F.concat(F.lit("user:"), "user_id"), F.concat(F.lit("event:"), "event_id")).alias("whose")
    answers = events.where(is_known & answer.rlike(_IS_ANSWER)).select(whose, "event_at", "event_id", "event_on", score)
    last = F.max(F.struct("event_at", "event_id", "event_on", "score")).alias("last")
    respondents = answers.groupBy("whose").agg(last).select("last.event_on", "last.score")
    figures = []
    for n in window_days:
        inside = F.when(in_last(n, "event_on", as_of), F.col("score"))
        figures += [
            F.count(inside).alias(f"n_answers_{n}"),
            F.count_if(inside >= 9).alias(f"n_promoters_{n}"),
            F.count_if(inside <= 6).alias(f"n_detractors_{n}"),
        ]
    return respondents.agg(*figures)
