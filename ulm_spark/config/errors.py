"""The errors that a user meets, each with the exit code that a scheduler meets.

A message reads: where: what was found; what was expected. What to do next. It names columns,
files and counts, never a user's values.
"""


class UlmError(Exception):
    """Anything that stops a job for a known cause."""

    exit_code = 1


class ConfigError(UlmError):
    """A config file or an option that can't be used."""

    exit_code = 2


class DataQualityError(UlmError):
    """Input that a job must not go on with."""

    exit_code = 3


class SourceError(DataQualityError):
    """Source files that are absent, unreadable or of another shape than their adapter says."""


class ContractError(UlmError):
    """A frame that differs from the table it was to be written to."""


class RefusedError(UlmError):
    """A gate or a lock said no."""

    exit_code = 4


class LockedError(RefusedError):
    """Another run is writing the same table for the same day."""


class TrainingError(UlmError):
    """Training that could not start or did not end well."""


class StreamError(UlmError):
    """A stream that ended by an error."""
