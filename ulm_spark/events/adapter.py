"""What does one kind of source file look like, and where in it is each field of an event?

An adapter is a YAML file, not code: conf/sources/*.yaml. Expressions are Spark SQL over the
file's own columns, which are all text unless the adapter gives another type. Spark raises on a
failed CAST, so an expression that may meet bad text says TRY_CAST; fields that are numbers or
times need no cast at all, since what can't be read as one is quarantined with its reason.
"""

import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import dacite
import yaml

from ulm_spark.config.clock import shop_zone
from ulm_spark.config.errors import ConfigError
from ulm_spark.config.load import one_line, parse_yaml
from ulm_spark.config.require import local_path
from ulm_spark.events.fields import FIELDS, REQUIRED_FIELDS

_ROOT = Path(__file__).resolve().parents[2]
_BUILT_IN = (_ROOT / "conf" / "sources", Path(sys.prefix) / "share" / "ulm-spark" / "conf" / "sources")


@dataclass(frozen=True)
class Rule:
    """One more reason for quarantine: rows for which ``when`` is true. detail: what was expected, in words."""

    reason: str
    when: str
    detail: str


@dataclass(frozen=True)
class SourceAdapter:
    """One kind of source file.

    name: value of the column ``source``. about: what it is, and each choice made in the mapping.
    format: one record a line in csv and json. files: name patterns looked for in a folder.
    columns: the file's columns; a mapping gives Spark SQL types, a list means all text.
    optional: those of them that a file may lack; they are null then. evolves: columns that files may
    newly bring: what a row says in one is kept as text in attributes under its name, and tells no
    two rows apart (a column that does belongs in columns). fields: SQL by field of
    silver.events. zone: IANA zone of times that carry none. time_unit: how text in event_at and
    received_at is read; text means ISO date and time. price_unit: minor where prices are in cents, or
    whatever the smallest coin of their currency is. currency_aliases: ISO 4217 codes by what the source
    writes for them, beside signs that mean one currency everywhere; no amount is converted into another
    currency. needs_user: true where a row without
    user_id is quarantined. rules: checked after the built-in ones.
    delimiter, quote, escape, header, encoding: of csv alone (encoding of json too).
    """

    name: str
    format: Literal["csv", "json", "parquet"]
    files: tuple[str, ...]
    columns: dict[str, str]
    fields: dict[str, str]
    about: str = field(default="", compare=False, repr=False)
    optional: tuple[str, ...] = ()
    evolves: tuple[str, ...] = ()
    zone: str = "UTC"
    time_unit: Literal["text", "epoch_s", "epoch_ms"] = "text"
    price_unit: Literal["major", "minor"] = "major"
    currency_aliases: dict[str, str] = field(default_factory=dict)
    needs_user: bool = False
    rules: tuple[Rule, ...] = ()
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    header: bool = True
    encoding: Literal["UTF-8", "ISO-8859-1"] = "UTF-8"
    path: str = field(default="the adapter", compare=False, repr=False)

    def __post_init__(self) -> None:
        self._refuse(
            [n for n in self.fields if n not in FIELDS], "fields", f"fields of silver.events: {', '.join(FIELDS)}"
        )
        missing = [n for n in REQUIRED_FIELDS if not self.fields.get(n)]
        if missing:
            raise ConfigError(
                f"{self.path}: fields: found no expression for {', '.join(missing)}; expected one for each of "
                f"{', '.join(REQUIRED_FIELDS)}. Add it."
            )
        self._refuse([n for n in self.optional if n not in self.columns], "optional", "names that columns has too")
        self._refuse([n for n in self.evolves if n in self.columns], "evolves", "names that columns has not")
        no_codes = [code for code in self.currency_aliases.values() if not (len(code) == 3 and code.isupper())]
        self._refuse(no_codes, "currency_aliases", "codes by ISO 4217, such as USD")
        reasons = [rule.reason for rule in self.rules]
        self._refuse([r for r in reasons if reasons.count(r) > 1], "rules", "each reason once")
        for name in ("name", "files", "columns"):
            if not getattr(self, name):
                raise ConfigError(f"{self.path}: {name}: found nothing; expected a value. Add it.")
        for name in ("delimiter", "quote", "escape"):
            if len(getattr(self, name)) != 1:
                raise ConfigError(f"{self.path}: {name}: found '{getattr(self, name)}'; expected one character.")
        try:
            shop_zone(self.zone)
        except ConfigError as error:
            raise ConfigError(f"{self.path}: zone: found '{self.zone}'; expected an IANA zone. Correct it.") from error

    def _refuse(self, unknown: list[str], where: str, expected: str) -> None:
        if unknown:
            raise ConfigError(
                f"{self.path}: {where}: found {', '.join(unknown)}; expected {expected}. Correct the name."
            )

    @property
    def all_columns(self) -> dict[str, str]:
        """The columns that are read where a file has them, with their types: evolves' last."""
        return {**self.columns, **dict.fromkeys(self.evolves, "STRING")}

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The columns that every file must have."""
        return tuple(name for name in self.columns if name not in self.optional)


def load_adapter(name_or_path: str) -> SourceAdapter:
    """The adapter of that name in conf/sources, or the one in the YAML file at that path.

    Errors: ConfigError that names the file and the field.
    """
    path = find_adapter(name_or_path)
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: found no readable YAML; expected an adapter. {one_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: found a {type(content).__name__}; expected an adapter's fields.")
    _refuse_shapes(content, path)
    if isinstance(content.get("columns"), list):
        content["columns"] = {str(name): "STRING" for name in content["columns"]}
    content["fields"] = {key: str(sql) for key, sql in (content.get("fields") or {}).items() if sql is not None}
    try:
        return dacite.from_dict(SourceAdapter, {**content, "path": str(path)}, dacite.Config(strict=True, cast=[tuple]))
    except dacite.UnexpectedDataError as error:
        raise ConfigError(
            f"{path}: found {', '.join(sorted(error.keys))}; expected only fields that an adapter has. "
            "Correct the name."
        ) from error
    except dacite.DaciteError as error:
        raise ConfigError(f"{path}: {error}. Correct the value.") from error


def _refuse_shapes(content: dict[object, object], path: Path) -> None:
    """Errors: ConfigError for a list that is none, or fields that name nothing."""
    if not all(isinstance(name, str) for name in content):
        raise ConfigError(f"{path}: found a key that is no text; expected names of an adapter's fields. Correct it.")
    for name in ("files", "optional", "evolves", "rules"):
        if name in content and not isinstance(content[name], list):
            raise ConfigError(f"{path}: {name}: found {content[name]}; expected a list, such as [a, b]. Correct it.")
    if not isinstance(content.get("fields") or {}, dict):
        raise ConfigError(f"{path}: fields: found no names; expected lines of field: expression. Correct it.")


def find_adapter(name_or_path: str) -> Path:
    """Where the adapter lies: a path is taken as it is or from the project's folder, a bare name is built in."""
    as_path = local_path(name_or_path, "source.adapter")
    if as_path.suffix in (".yaml", ".yml"):
        candidates = [as_path, _ROOT / as_path]
    else:
        candidates = [folder / f"{name_or_path}.yaml" for folder in _BUILT_IN]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        built_in = sorted(path.stem for folder in _BUILT_IN for path in folder.glob("*.yaml"))
        raise ConfigError(
            f"source.adapter: found no adapter '{name_or_path}'; expected one of {', '.join(built_in)}, "
            "or the path of a YAML file. Correct the config."
        )
    return found


def adapter_fingerprint(adapter: SourceAdapter) -> str:
    """Twelve hex digits; equal settings, equal text, wherever the file lies and whatever about says."""
    return hashlib.sha256(repr(adapter).encode()).hexdigest()[:12]
