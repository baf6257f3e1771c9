"""A file of marketing spend into the lake: every row is spend or in quarantine."""

import hashlib
from collections.abc import Sequence
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ulm_spark.config.errors import DataQualityError, SourceError
from ulm_spark.config.require import path_uri
from ulm_spark.contracts.marketing import MARKETING_SPEND, SPEND_QUARANTINE
from ulm_spark.events.spend import SPEND_COLUMNS, is_header, judge_spend, kept_spend, refused_spend, split_lines
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run

_WHERE = "marketing.spend_path"


def spend_inputs(spark: SparkSession, path: str) -> dict[str, str]:
    """The state of the files, by name; empty where no path is set.

    Errors: SourceError where there is no file.
    """
    if not path:
        return {}
    opened = _opened(spark, path, "binaryFile")
    names = _file_names(opened)
    if not names:
        raise _no_file(path)
    states = sorted(str(tuple(row)) for row in opened.select("path", "modificationTime", "length").collect())
    return {"marketing spend": hashlib.sha256("\n".join((*names, *states)).encode()).hexdigest()[:16]}


def ingest_spend(ledger: Run, path: str, currency: str) -> None:
    """Makes both tables what the files say now: a row that is gone from them goes from the lake too.

    Rule:   rows in = rows kept + rows in quarantine, or the run fails. A second run over the same files
            changes nothing.
    Errors: SourceError where there is no file, or one that does not begin with the header; DataQualityError
            where there are rows and none of them is spend: the lake keeps what it had.
    """
    opened = _opened(ledger.lake.spark, path, "text")
    # Spark writes names as in an address; url_decode takes + for a blank, as no address does.
    name = F.url_decode(F.replace(F.col("_metadata.file_name"), F.lit("+"), F.lit("%2B")))
    texts = opened.select(name.alias("source_file"), F.col("value").alias("text"))
    with persisted(split_lines(texts)) as lines:
        _refuse_headless(path, _file_names(opened), lines)
        rows = lines.where(F.col("source_line") > 1)
        n_rows = rows.count()
        with persisted(judge_spend(rows, currency)) as judged:
            counts = {row["reason"]: row["count"] for row in judged.groupBy("reason").count().collect()}
            n_kept = counts.pop(None, 0)
            told = ", ".join(f"{reason} {counts[reason]}" for reason in sorted(counts))
            _refuse_bad(path, n_rows, n_kept, sum(counts.values()), told)
            ledger.restate(refused_spend(judged), SPEND_QUARANTINE)
            ledger.restate(kept_spend(judged), MARKETING_SPEND)
    ledger.count_in(n_rows)
    ledger.count_quarantined(n_rows - n_kept)
    if told:
        ledger.note(f"rows of spend in quarantine: {told}")


def _refuse_bad(path: str, n_rows: int, n_kept: int, n_refused: int, told: str) -> None:
    if n_kept + n_refused != n_rows:
        raise DataQualityError(
            f"{_WHERE}: found {n_rows} rows in {path} and {n_kept + n_refused} of them read; expected all. Run again."
        )
    if n_rows and not n_kept:
        raise DataQualityError(
            f"{_WHERE}: found {n_rows} rows in {path} and no spend in them ({told}); expected rows such as "
            "2024-05-01,ads,120.50,EUR. Correct the file."
        )


def _refuse_headless(path: str, names: Sequence[str], lines: DataFrame) -> None:
    """Errors: SourceError for a file without its header, an empty one too, or two of one name."""
    first = lines.where((F.col("source_line") == 1) & is_header()).select("source_file")
    wrong = sorted({*names} - {row["source_file"] for row in first.collect()})
    if wrong:
        raise SourceError(
            f"{_WHERE}: found {len(wrong)} of {len(names)} files without the header in their first line: "
            f"{', '.join(wrong[:5])}; expected {','.join(SPEND_COLUMNS)}. Correct the files."
        )
    if len({*names}) < len(names):
        raise SourceError(
            f"{_WHERE}: found {len(names)} files with {len({*names})} names in {path}; expected a name of its own for "
            "each. Rename them."
        )


def _file_names(opened: DataFrame) -> list[str]:
    """The names of the files, sorted. A scan passes over empty ones, their list does not."""
    return sorted(unquote(uri.rsplit("/", 1)[-1]) for uri in opened.inputFiles())


def _opened(spark: SparkSession, path: str, kind: str) -> DataFrame:
    reader = spark.read.format(kind).options(ignoreCorruptFiles=False, ignoreMissingFiles=False)
    try:
        return reader.option("wholetext", True).load(path_uri(path, _WHERE))
    except AnalysisException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            raise _no_file(path) from error
        raise


def _no_file(path: str) -> SourceError:
    return SourceError(
        f"{_WHERE}: found no file at {path}; expected a CSV file, or a folder of them. Check the path, or take the "
        "setting out."
    )
