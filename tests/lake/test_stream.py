"""What a user reads whose stream can't be opened, and how far a stream says that it is."""

from typing import cast

import pytest
from pyspark.sql import SparkSession

from ulm_spark.config.errors import ConfigError, StreamError
from ulm_spark.lake.micro_batches import n_between
from ulm_spark.lake.stream import StreamConf, known_failure, open_messages

NO_SPARK = cast(SparkSession, None)  # nothing is asked of Spark before the address is known to be right
NOBODY = "127.0.0.1:1"


def test_an_address_where_nobody_answers_ends_the_stream_at_once() -> None:
    with pytest.raises(StreamError, match=rf"stream\.bootstrap_servers: found nobody .* at {NOBODY}, {NOBODY}; expec"):
        open_messages(NO_SPARK, StreamConf(f"{NOBODY}, {NOBODY}", "shop"))


@pytest.mark.parametrize("servers", ["", "broker", "broker:port", "a:1 b:2"])
def test_an_address_that_is_none_is_a_fault_of_the_config(servers: str) -> None:
    with pytest.raises(ConfigError, match=r"stream\.bootstrap_servers: found"):
        open_messages(NO_SPARK, StreamConf(servers, "shop"))


@pytest.mark.parametrize("option", ["subscribe", "MAXOFFSETSPERTRIGGER", "kafka.bootstrap.servers"])
def test_an_option_that_a_setting_stands_for_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=rf"stream\.options: found {option}; expected none that bootstrap_servers"):
        StreamConf(NOBODY, "shop", options={option: "1", "kafka.security.protocol": "SSL"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not", "no such topic"),
        (
            "Partition shop-0's offset was changed from 9 to 1, some data may have been missed.",
            "or the topic made anew",
        ),
        ("Some data may have been lost because they are not available in Kafka any more", "failOnDataLoss"),
    ],
)
def test_what_the_source_said_becomes_what_to_do(said: str, expected: str) -> None:
    assert expected in str(known_failure(said, StreamConf(NOBODY, "shop")))
    assert known_failure("java.util.concurrent.TimeoutException", StreamConf(NOBODY, "shop")) is None


def test_rows_are_counted_over_topics_and_partitions_and_files_are_none() -> None:
    ends, begins = "{'a': {'0': 50, '1': 7}, 'b': {'0': 2}}", '{"a": {"0": 40}}'
    progress = {"sources": [{"startOffset": begins, "endOffset": ends}]}
    assert n_between(progress, "startOffset", "endOffset") == 19
    assert n_between({"sources": [{"startOffset": "None", "endOffset": ends}]}, "startOffset", "endOffset") is None
    assert n_between({"sources": [{"endOffset": "{'logOffset': 3}"}]}, "startOffset", "endOffset") is None
