"""conf/*.yaml into dataclasses."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ulm_spark.config.errors import ConfigError
from ulm_spark.config.load import load
from ulm_spark.config.shop import ShopConf


@dataclass(frozen=True)
class Als:
    rank: int = 8
    reg: float = 0.1
    weights: tuple[float, ...] = (1.0, 2.0)


@dataclass(frozen=True)
class Spark:
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conf:
    shop: ShopConf = field(default_factory=ShopConf)
    als: Als = field(default_factory=Als)
    spark: Spark = field(default_factory=Spark)


def written(folder: Path, text: str, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None, Conf) == Conf()


def test_a_file_overrides_what_it_extends_and_set_overrides_both(tmp_path: Path) -> None:
    written(tmp_path, "als: {rank: 1, reg: 1}\nshop: {zone: Asia/Shanghai}", "base.yaml")
    path = written(tmp_path, "extends: base.yaml\nals: {rank: 2, weights: [3, 4.5]}")
    conf = load(path, Conf, ["als.reg=0.25", "spark.spark.ui.enabled=false"])
    assert conf.als == Als(rank=2, reg=0.25, weights=(3.0, 4.5))
    assert conf.shop.zone == "Asia/Shanghai"
    assert conf.spark.settings == {"spark.ui.enabled": "false"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("als: {rnak: 2}", "als.rnak.*rank, reg, weights.*Write als.rank"),
        ("als: {deep: {rank: 2}}", "als.deep"),
        ("als: {weights: 12}", "als.weights.*a list"),
        ("als: {weights: ab}", "als.weights.*a list"),
        ("als: {reg: .nan}", "als.reg.*finite"),
        ("als: {rank: 2}\nals: {reg: 1}", "als twice"),
        ("als: {rank: 2, rank: 3}", "rank twice"),
        ("alss: {rank: 2}", "alss"),
        ("als: {rank: two}", "rank"),
        ("als: {rank: 2.5}", "rank"),
        ("als: {rank: true}", "als.rank.*whole number"),
        ("als: {rank: 99999999999999999999}", "als.rank.*64 bits"),
        ("als: {weights: [1.0, true]}", "als.weights.*numbers"),
        ("als: [1, 2]", "als"),
        ("shop: {zone: Mars/Olympus}", "shop.zone"),
        ("shop: {currency: euro}", "shop.currency"),
        ("- 1", "expected sections"),
        ("als: {rank: 2", "YAML"),
        ("extends: x.yaml", "circle"),
        ("als: {rank: 2024-13-45}", "YAML"),
        ("shop: {zone: Europe}", "shop.zone"),
        ("extends: nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_field(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=named) as caught:
        load(path, Conf)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("text", ["als.rank", "als=3", "rank=3", "alss.rank=3", "als.rank.deep=3", "als.rank=["])
def test_a_wrong_override_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        load(None, Conf, [text])
