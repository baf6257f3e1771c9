"""conf/*.yaml into frozen dataclasses: unknown, missing and mistyped keys are refused by file and field."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import is_dataclass
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import dacite
import yaml

from ulm_spark.config.errors import ConfigError

SECTIONS = (
    "lake",
    "shop",
    "spark",
    "source",
    "marketing",
    "stream",
    "anomalies",
    "quality",
    "simulation",
    "identity",
    "maintenance",
    "sessions",
    "sequences",
    "features",
    "segments",
    "relations",
    "personas",
    "stages",
    "value",
    "churn",
    "metrics",
    "als",
    "training",
    "lookalikes",
    "evaluation",
    "report",
    "pipeline",
)

ConfT = TypeVar("ConfT")
Raw = dict[str, object]


def load(path: Path | None, conf_type: type[ConfT], overrides: Sequence[str] = ()) -> ConfT:
    """The part of a config file that conf_type names, over the dataclasses' own defaults.

    path: a YAML file, None for defaults alone; its key ``extends`` names a file, relative to it,
    whose values it overrides. overrides: ``section.field=value`` texts, values read as YAML.
    Errors: ConfigError by file and field.
    """
    sections = read_sections(path, overrides)
    wanted = getattr(conf_type, "__dataclass_fields__", {})
    where = " and ".join([*([str(path)] if path else []), *(f"--set {text}" for text in overrides)]) or "the defaults"
    named: Raw = {name: value for name, value in sections.items() if name in wanted}
    hooks: dict[type[Any], Callable[[Any], Any]] = {float: _as_float, dict[str, str]: _as_texts}
    try:
        _refuse_misfits(conf_type, named)
        return dacite.from_dict(conf_type, named, dacite.Config(cast=[tuple], type_hooks=hooks))
    except (dacite.MissingValueError, dacite.WrongTypeError, dacite.UnionMatchError) as error:
        raise ConfigError(f"{where}: {error}. Correct the value.") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def read_sections(path: Path | None, overrides: Sequence[str] = ()) -> dict[str, Raw]:
    """All sections of a file with its ``extends`` and the overrides laid over it."""
    sections = _read_file(path, ()) if path else {}
    for text in overrides:
        _override(sections, text)
    return sections


_MOST_INT = 2**63 - 1


def _refuse_misfits(kind: type, fields: Raw, place: str = "") -> None:
    """Refuses what dacite would take or not name: unknown fields, lists that are none, numbers that are none."""
    known = get_type_hints(kind)
    for name, value in fields.items():
        at, wanted = f"{place}{name}", known.get(name)
        if wanted is None:
            near = get_close_matches(str(name), known, n=1)
            advice = f"Write {place}{near[0]}" if near else "Correct the name"
            raise ConfigError(f"found {at}; expected one of {', '.join(known)}. {advice}, or take it out.")
        if is_dataclass(wanted) and isinstance(wanted, type) and isinstance(value, dict):
            _refuse_misfits(wanted, value, f"{at}.")
        elif get_origin(wanted) is tuple and not isinstance(value, list | tuple):
            raise ConfigError(f"{at}: found {value}; expected a list, such as [a, b]. Correct the value.")
        elif wanted is int and isinstance(value, bool):
            raise ConfigError(f"{at}: found {str(value).lower()}; expected a whole number. Correct the value.")
        elif _has_truth(value) and {int, float} & set(get_args(wanted)):
            raise ConfigError(f"{at}: found true or false in {value}; expected numbers. Correct the value.")
        elif wanted is int and isinstance(value, int) and abs(value) > _MOST_INT:
            raise ConfigError(f"{at}: found {value}; expected a number of 64 bits. Correct the value.")
        elif isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{at}: found {value}; expected a finite number. Correct the value.")


def _has_truth(value: object) -> bool:
    """True for a list, or a mapping, that holds true or false."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(isinstance(part, bool) for part in parts)


def parse_yaml(text: str) -> object:
    """YAML as plain values. Errors: yaml.YAMLError, also for a key that stands twice; ValueError for no such day."""
    return yaml.load(text, _UniqueKeyLoader)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which no mapping names a key twice: YAML forbids it, its reader would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"found {name} twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _read_file(path: Path, trail: tuple[Path, ...]) -> dict[str, Raw]:
    path = path.resolve()
    if path in trail:
        raise ConfigError(f"{path}: found a circle of extends; expected an end. Take one of them out.")
    try:
        content = parse_yaml(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path}: found no readable file; expected a config file. Check the path.") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a day that no calendar has
        raise ConfigError(
            f"{path}: found text that is not YAML; expected sections with fields. {one_line(error)}"
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: found a {type(content).__name__}; expected sections with fields.")
    base = content.pop("extends", None)
    sections: dict[str, Raw] = {}
    if base is not None:
        sections = _read_file(path.parent / str(base), (*trail, path))
    for name, fields in content.items():
        if name not in SECTIONS:
            raise ConfigError(f"{path}: found section {name}; expected one of {', '.join(SECTIONS)}. Correct the name.")
        if not isinstance(fields, dict):
            raise ConfigError(f"{path}: found no fields in section {name}; expected name: value lines.")
        _lay_over(sections.setdefault(name, {}), fields)
    return sections


def _lay_over(base: Raw, fields: Raw) -> None:
    for name, value in fields.items():
        below = base.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            _lay_over(below, value)
        else:
            base[str(name)] = value


def _override(sections: dict[str, Raw], text: str) -> None:
    key, sign, value = text.partition("=")
    section, dot, field = key.strip().partition(".")
    if not (sign and dot and field) or section not in SECTIONS:
        raise ConfigError(
            f"--set {text}: found no section.field=value; expected a section of {', '.join(SECTIONS)}. Correct it."
        )
    target = sections.setdefault(section, {})
    *parents, last = [field] if section == "spark" else field.split(".")
    if section == "spark":  # Spark's own names have dots
        parents, last = ["settings"], field.removeprefix("settings.")
    for name in parents:
        below = target.setdefault(name, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {text}: found a value at {name}; expected a section. Correct the key.")
        target = below
    try:
        target[last] = parse_yaml(value)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {text}: found a value that is not YAML; expected one. Quote it.") from error


def one_line(error: Exception) -> str:
    """The text of an error of several lines, such as YAML's, on one."""
    return " ".join(str(error).split())


def _as_float(value: object) -> object:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_texts(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {str(key): _as_text(item) for key, item in value.items()}


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)
