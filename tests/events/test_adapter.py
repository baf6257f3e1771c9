from pathlib import Path

import pytest

from tests.events.ingesting import small_shop
from ulm_spark.config.errors import ConfigError
from ulm_spark.events.adapter import adapter_fingerprint, find_adapter, load_adapter
from ulm_spark.events.fields import FIELDS

_WHOLE = """
name: shop
format: csv
files: ["*.csv"]
columns: [at, kind]
fields: {event_at: at, event_type: kind}
"""


def written(folder: Path, text: str) -> str:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "name",
    [
        "native_json",
        "native_csv",
        "native_parquet",
        "rees46",
        "online_retail",
        "yoochoose",
        "ta_feng",
        "column_mapping",
    ],
)
def test_a_built_in_adapter_is_found_by_its_name(name: str) -> None:
    adapter = load_adapter(name)
    assert adapter.path.endswith(f"{name}.yaml")
    assert {"event_at", "event_type"} <= set(adapter.fields)


@pytest.mark.parametrize("name", ["native_json", "native_csv", "native_parquet"])
def test_the_native_form_says_every_field(name: str) -> None:
    assert set(load_adapter(name).fields) == set(FIELDS)


def test_an_adapter_is_found_by_its_path(tmp_path: Path) -> None:
    adapter = load_adapter(written(tmp_path, _WHOLE))
    assert adapter.columns == {"at": "STRING", "kind": "STRING"}
    assert adapter.files == ("*.csv",)


def test_an_unknown_name_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"no adapter 'nonesuch'.*online_retail"):
        find_adapter("nonesuch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("event_type: kind}", "event_kind: kind}"), r"shop\.yaml: fields: found event_kind; expected fields"),
        ((", event_type: kind}", "}"), r"shop\.yaml: fields: found no expression for event_type"),
        (("format: csv", "format: xml"), r"shop\.yaml: .*format"),
        (("name: shop", "nam: shop"), r"shop\.yaml: found nam; expected only fields"),
        (("name: shop", "name: ''"), r"shop\.yaml: name: found nothing"),
        (("name: shop", "name: shop\nzone: Mars/Base"), r"shop\.yaml: zone: found 'Mars/Base'"),
        (("name: shop", "name: shop\ndelimiter: '||'"), r"shop\.yaml: delimiter: found '\|\|'; expected one"),
        (("name: shop", "name: shop\noptional: [when]"), r"shop\.yaml: optional: found when"),
        ((_WHOLE, "- a\n- b\n"), r"shop\.yaml: found a list; expected an adapter"),
        ((_WHOLE, "name: [unclosed"), r"shop\.yaml: found no readable YAML"),
    ],
)
def test_a_wrong_adapter_is_refused_by_file_and_field(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = written(tmp_path, _WHOLE.replace(*change))
    with pytest.raises(ConfigError, match=message):
        load_adapter(path)


def test_equal_adapters_have_equal_fingerprints() -> None:
    assert adapter_fingerprint(small_shop()) == adapter_fingerprint(small_shop())
    assert adapter_fingerprint(small_shop()) != adapter_fingerprint(small_shop(zone="Europe/Paris"))
    assert adapter_fingerprint(small_shop()) == adapter_fingerprint(small_shop(path="moved.yaml", about="The same"))
