"""Training launched from Spark: each rank is a task of its own, on the cluster's executors."""

import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.launch import MANIFEST, VOCABULARY, WEIGHTS, Listener, progress_line, rank_settings
from ulm_spark.sequence.snapshot import Manifest

Tell = Callable[[str], None]


def launch_on_spark(manifest: Manifest, vocabulary: list[str], tell: Tell) -> None:
    """Trains by horovod.spark.run, n_ranks tasks at once, and unpacks rank 0's model into the manifest's output_dir.

    The executors need ulm_spark with its training extras, and must be able to read the snapshot's
    files; of a model that training begins with each rank is sent what it needs. A checkpoint is kept where they see the
    lake's folder; elsewhere a killed run begins again.
    Errors: TrainingError with the last lines that say why.
    """
    try:
        import horovod.runner.launch
        import horovod.spark
    except ImportError as error:
        raise TrainingError(
            f"training.launcher: found spark, and no Horovod here ({error}); expected it. Run scripts/setup.sh."
        ) from error
    listener = Listener(manifest.conf.max_epochs, tell)
    earlier = pack(Path(manifest.begin_from), (MANIFEST, VOCABULARY, WEIGHTS)) if manifest.begin_from else b""
    try:
        with _replaced(horovod.runner.launch, "gloo_built", _is_built_with_gloo):
            results = horovod.spark.run(
                train_rank,
                args=(manifest.to_json(), tuple(vocabulary), earlier),
                num_proc=manifest.conf.launch.n_ranks,
                use_gloo=True,
                env=rank_settings(manifest.conf),  # the rest is the executor's own: its paths, and its keys
                stdout=_Lines(listener),
                stderr=_Lines(listener),
                verbose=0,
            )
    except Exception as error:  # Horovod raises bare exceptions of several kinds
        raise TrainingError(
            f"training: found a failed horovod.spark.run ({error}); expected {manifest.conf.ranks} ranks to end "
            f"well. Do that many tasks fit at once? Last words: {listener.last_words()}"
        ) from error
    packed = next((result for result in results if result), None)
    if packed is None:
        raise TrainingError("training: found no model among the ranks' results; expected rank 0's. Run the job again.")
    _unpack(packed, manifest.output_dir)


def _is_built_with_gloo(verbose: bool = False) -> bool:
    """Horovod's own answer comes from a fork of this process, which hangs where a thread held a lock just then.

    scripts/setup.sh builds it with Gloo and nothing else; where it is another build, the ranks say so.
    """
    return True


@contextmanager
def _replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def train_rank(manifest_json: str, vocabulary: tuple[str, ...], earlier: bytes) -> bytes:
    """One rank, in a task's process; rank 0 gives its model as a ZIP, the others nothing.

    earlier: the model that it begins with as a ZIP, nothing for none.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from ulm_spark.sequence.train import train  # brings TensorFlow, which the driver must not load

    manifest = Manifest.from_json(manifest_json)
    with tempfile.TemporaryDirectory(prefix="ulm-rank-") as scratch:
        sees_lake = Path(manifest.output_dir).is_dir()
        checkpoints = manifest.checkpoint_dir if sees_lake else f"{scratch}/checkpoint"
        model, begin_from = Path(scratch) / "model", f"{scratch}/earlier" if earlier else ""
        if earlier:
            _unpack(earlier, begin_from)
        train(
            replace(manifest, output_dir=str(model), checkpoint_dir=checkpoints, begin_from=begin_from),
            vocabulary,
            lambda numbers: print(progress_line(numbers), flush=True),
        )
        return pack(model) if model.is_dir() else b""


def pack(folder: Path, names: Sequence[str] = ()) -> bytes:
    """A folder as a ZIP. names: of the files in it that are meant, all without one."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (not names or path.name in names):
                archive.write(path, path.relative_to(folder))
    return content.getvalue()


def _unpack(packed: bytes, folder: str) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(folder)


class _Lines(io.TextIOBase):
    """A text stream that hands whole lines to a listener."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._listener.hear(line)
        return len(text)

    def writable(self) -> bool:
        return True
