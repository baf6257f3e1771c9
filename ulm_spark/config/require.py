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
