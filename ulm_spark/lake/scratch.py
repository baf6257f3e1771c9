"""Files of this machine and this user that a later run finds again, and nobody else may touch."""

import os
import tempfile
from pathlib import Path

from ulm_spark.config.errors import RefusedError


def own_scratch(relative: str) -> Path:
    """A path in the user's own folder below the machine's temporary one; the folder is made, the path is not.

    Errors: RefusedError where another user made a folder of that name.
    """
    root = Path(tempfile.gettempdir()) / f"ulm-spark-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.stat().st_uid != os.getuid():
        raise RefusedError(f"{root}: found a folder of another user; expected none, or one's own. Set TMPDIR.")
    return root / relative
