"""Short hashes of a configuration and of the code, by which a run is known again."""

import hashlib
import importlib.util
import json
from dataclasses import fields, is_dataclass
from datetime import date
from functools import cache
from pathlib import Path

from ulm_spark import __version__

# Where a run happens, not what it computes: these sections change no result.
NOT_HASHED = ("spark",)
NO_SOURCE = (".pyc", ".pyo")


def config_hash(conf: object) -> str:
    """Twelve hex digits of a job's configuration; equal settings, equal hash.

    Rule: fields declared with hash=False are left out, since they change nothing that the job computes itself.
    """
    return hashlib.sha256(json.dumps(_plain(conf), sort_keys=True).encode()).hexdigest()[:12]


@cache
def code_version() -> str:
    """The version, with a hash of the package's and the jobs' files, templates too."""
    digest = hashlib.sha256()
    for package in ("ulm_spark", "jobs"):
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            sources = (path for path in Path(folder).rglob("*") if path.is_file() and path.suffix not in NO_SOURCE)
            for source in sorted(sources):
                digest.update(source.relative_to(folder).as_posix().encode() + source.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:8]}"


def _plain(value: object) -> object:
    if is_dataclass(value):
        hashed = [f.name for f in fields(value) if f.name not in NOT_HASHED and f.hash is not False]
        return {name: _plain(getattr(value, name)) for name in hashed}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
