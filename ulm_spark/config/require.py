"""What does a config say about a value that it can't use?"""

from ulm_spark.config.errors import ConfigError


def require(is_fine: bool, where: str, found: object, expected: str) -> None:
    """Nothing for a value that is fine.

    In:     where is section.field; found the value, or words for it; expected goes on after "expected".
    Errors: ConfigError in the one sentence that all fields share.
    """
    if not is_fine:
        raise ConfigError(f"{where}: found {found}; expected {expected}. Correct the config.")
