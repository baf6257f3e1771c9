"""What a person sees on a terminal while jobs run."""

import io
import time

from pyspark.sql import SparkSession
from rich.console import Console

from ulm_spark.lake.progress import report_progress
from ulm_spark.pipeline.display import POLL_S, Display


def test_a_terminal_shows_jobs_stages_and_what_the_job_says(spark: SparkSession) -> None:
    screen = io.StringIO()
    display = Display(3, Console(file=screen, force_terminal=True, color_system=None, width=120))
    display.skipped("ingest_events")
    with display.running("train_sequence", spark):
        report_progress("epoch 2 of 10, loss 5.31")
        slow = spark.sparkContext.parallelize(range(4), 4).map(lambda i: time.sleep(POLL_S) or i)
        slow.count()
    shown = screen.getvalue()
    assert "[1/3] ingest_events: already done" in shown
    assert "epoch 2 of 10, loss 5.31" in shown
    assert "1/3" in shown  # jobs done
    assert "/4" in shown  # tasks of the stage
    assert "[2/3] train_sequence: done in" in shown


def test_elsewhere_every_message_is_a_plain_line(spark: SparkSession) -> None:
    printed = io.StringIO()
    display = Display(1, Console(file=printed, width=60))
    with display.running("sessionize", spark):
        report_progress("a message that is longer than the sixty columns of this console, on one line")
    first, second, third = printed.getvalue().splitlines()
    assert (first, second[:16]) == ("[1/1] sessionize ...", "    sessionize: ")
    assert second.endswith("on one line")
    assert third.startswith("[1/1] sessionize: done in ")


def test_a_job_that_fails_is_not_said_to_be_done(spark: SparkSession) -> None:
    printed = io.StringIO()
    display = Display(1, Console(file=printed))
    try:
        with display.running("sessionize", spark):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert "done" not in printed.getvalue()
