"""The command line that every job has when it is submitted alone."""

import argparse
import inspect
import logging
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ulm_spark.config.errors import ConfigError, UlmError
from ulm_spark.config.load import load
from ulm_spark.config.shop import ShopConf
from ulm_spark.lake.session import SparkSettings, open_session
from ulm_spark.lake.store import LakeConf

_LOG = logging.getLogger("ulm")
MOST_SAID = 1000  # letters of an error that is not ours
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)


@dataclass(frozen=True)
class BaseConf:
    """What every job reads from the config file; its own Conf adds the rest."""

    lake: LakeConf = field(default_factory=LakeConf)
    spark: SparkSettings = field(default_factory=SparkSettings)
    shop: ShopConf = field(default_factory=ShopConf)


ConfT = TypeVar("ConfT", bound=BaseConf)


def run_job(
    job: str,
    conf_type: type[ConfT],
    run: Callable[[SparkSession, ConfT, date], None],
    argv: Sequence[str] | None,
) -> int:
    """Reads the options, opens the session, runs the job; gives the exit code."""
    log_to_stderr()
    options = _parser(job, run).parse_args(argv)

    def command() -> None:
        conf = load(options.config, conf_type, options.set)
        run(open_session(f"ulm {job} {options.as_of}", conf.spark), conf, options.as_of)

    return guarded(job, command)


def guarded(name: str, command: Callable[[], object]) -> int:
    """Runs a command; a known failure is one line on stderr, and its exit code is given back, 0 where none."""
    try:
        command()
    except UlmError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except ConnectionError:
        print(f"{name}: Spark's process is gone. Run the same command again to go on.", file=sys.stderr)
        return 1
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        print(
            f"{name}: found {error.strerror or error}{place}; expected files and folders that can be read and written. "
            "Check lake.root, source.path and their permissions.",
            file=sys.stderr,
        )
        return 1
    except (PySparkException, Py4JError) as error:
        print(f"{name}: Spark stopped the job. {first_lines(error)}", file=sys.stderr)
        _LOG.debug("%s failed in Spark", name, exc_info=True)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def parse_as_of(text: str) -> date:
    """A day as YYYY-MM-DD. Errors: ConfigError."""
    wrong = f"--as-of: found '{text}'; expected a day such as 2011-12-01. Correct it."
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ConfigError(wrong)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(wrong) from error
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ConfigError(f"--as-of: found {day}; expected a day from {FIRST_DAY} to {LAST_DAY}. Correct it.")
    return day


def _day_argument(text: str) -> date:
    try:
        return parse_as_of(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def first_lines(error: BaseException, n_lines: int = 3) -> str:
    """The part of an error's text that says what happened, without the stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:n_lines])[:MOST_SAID]


def log_to_stderr() -> None:
    """Structured log lines, on stderr."""
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stderr,
        format="%(asctime)s level=%(levelname)s logger=%(name)s %(message)s",
    )
    _LOG.setLevel(logging.INFO)


def _parser(job: str, run: Callable[..., None]) -> argparse.ArgumentParser:
    module = inspect.getmodule(run)
    parser = argparse.ArgumentParser(
        prog=job, description=inspect.getdoc(module), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=None, help="YAML file; without it the defaults hold")
    parser.add_argument("--as-of", type=_day_argument, required=True, help="last day that counts, as YYYY-MM-DD")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE", help="override a value")
    return parser
