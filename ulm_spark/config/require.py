"""What does a config say about a value that it can't use?"""

from pathlib import Path
from urllib.parse import urlparse

from ulm_spark.config.errors import ConfigError


def require(is_fine: bool, where: str, found: object, expected: str) -> None:
    """Nothing for a value that is fine.

    In:     where is section.field; found the value, or words for it; expected goes on after "expected".
    Errors: ConfigError in the one sentence that all fields share.
    """
    if not is_fine:
        raise ConfigError(f"{where}: found {found}; expected {expected}. Correct the config.")


def local_path(text: str, where: str) -> Path:
    """A path on this machine, with a home written as ``~`` or ``~name`` in full.

    In:     where is section.field.
    Errors: ConfigError for the home of a user whom the machine does not know.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{where}: found {text}; expected the home of a user that exists. Write it out.") from error


def path_uri(text: str, where: str) -> str:
    """A path with its scheme: one that names none is of this machine, also where Spark takes such paths for HDFS's.

    In:     where is section.field.
    Errors: as local_path.
    """
    return text if urlparse(text).scheme else f"file:{local_path(text, where).absolute()}"


def require_counts(conf: object, where: str, names: tuple[str, ...]) -> None:
    """Raises ConfigError for the first of these fields that is below 1."""
    for name in names:
        require(getattr(conf, name) >= 1, f"{where}.{name}", getattr(conf, name), "1 or more")


def require_shares(conf: object, where: str, names: tuple[str, ...]) -> None:
    """Raises ConfigError for the first of these fields that is not from 0 up to below 1."""
    for name in names:
        require(0 <= getattr(conf, name) < 1, f"{where}.{name}", getattr(conf, name), "0 up to below 1")


def require_names(found: tuple[str, ...], among: tuple[str, ...], where: str) -> None:
    """Raises ConfigError where a name is not among these, or comes twice."""
    is_known = set(found) <= set(among) and len(set(found)) == len(found)
    require(is_known, where, ", ".join(found), f"distinct ones of {', '.join(among)}")
