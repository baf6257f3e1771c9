"""What a config says about a value that it can't use."""

from pathlib import Path

import pytest

from ulm_spark.config.errors import ConfigError
from ulm_spark.config.require import local_path, require


def test_a_value_that_is_fine_passes() -> None:
    require(True, "sessions.gap_s", 1800, "whole seconds, at least 1")


def test_another_value_is_refused_by_field_found_and_expected() -> None:
    with pytest.raises(ConfigError) as caught:
        require(False, "sessions.gap_s", 0, "whole seconds, at least 1")
    assert str(caught.value) == "sessions.gap_s: found 0; expected whole seconds, at least 1. Correct the config."


def test_a_home_is_written_out_and_one_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/lake", "lake.root") == tmp_path / "lake"
    with pytest.raises(ConfigError, match=r"lake\.root: found ~no-such-user/lake"):
        local_path("~no-such-user/lake", "lake.root")
