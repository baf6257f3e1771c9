"""How a program ends: an exit code, and words on stderr."""

import pytest

from ulm_spark.config.errors import ConfigError
from ulm_spark.lake.job import guarded


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("found nothing"), 2, "job: found nothing"),
        (BrokenPipeError(32, "Broken pipe"), 1, "Spark's process is gone"),
        (ConnectionRefusedError(111, "refused"), 1, "Spark's process is gone"),
        (PermissionError(13, "Permission denied", "lake"), 1, "Permission denied (lake)"),
    ],
)
def test_a_failure_is_told_by_exit_code_and_in_words(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert guarded("job", fail) == code
    assert said in capsys.readouterr().err
