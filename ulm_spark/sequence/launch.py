"""How does training start from a process that must stay free of TensorFlow? As programs of their own."""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import ulm_spark
from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.conf import TrainingConf

PROGRESS_MARK = "ulm-progress "
PARENT_PID = "ULM_PARENT_PID"
MANIFEST = "manifest.json"
VOCABULARY = "vocabulary.json"
METRICS = "metrics.json"
SAVED_MODEL = "saved_model"
ONNX = "scorer.onnx"
READER = "reader.onnx"
LOGS = "logs"
WEIGHTS = "weights.npz"
_HOSTS = "hosts.sh"
_PROGRAM = "ulm_spark.sequence.train"
_KEPT_LINES = 200
Tell = Callable[[str], None]


def launch(manifest_path: Path, conf: TrainingConf, tell: Tell) -> None:
    """Trains on this machine, or with horovodrun on conf.launch.hosts, and waits for the end.

    tell: gets one line of text for each epoch. Errors: TrainingError with the last lines that say why.
    """
    listener = Listener(conf.max_epochs, tell)
    process = subprocess.Popen(
        command(manifest_path, conf),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment(conf),
    )
    assert process.stdout is not None  # asked for above
    try:
        for line in process.stdout:
            listener.hear(line)
        code = process.wait()
    except BaseException:
        _end(process)
        raise
    if code != 0:
        raise TrainingError(
            f"training: found exit code {code} from {conf.launch.launcher}; expected 0. Its last words: "
            f"{listener.last_words()}"
        )


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()  # horovodrun ends its ranks on it
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()  # ranks on this machine end with their parent
        process.wait()


def command(manifest_path: Path, conf: TrainingConf) -> list[str]:
    """What to start."""
    program = [sys.executable, "-m", _PROGRAM, "--manifest", str(manifest_path)]
    if conf.launch.launcher == "inline":
        return program
    asked = conf.launch
    runner = [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", str(asked.n_ranks)]
    if not conf.is_elastic:
        return [*runner, "-H", asked.hosts or f"localhost:{asked.n_ranks}", *program]
    most = asked.max_ranks or asked.n_ranks
    runner += ["--min-np", str(asked.min_ranks), "--max-np", str(most), "--blacklist-cooldown-range", "2", "5"]
    if not asked.discovery:
        runner += ["--network-interfaces", "lo"]  # among others, it would wait for ever to find one in common
    script = asked.discovery or str(_own_hosts(manifest_path.parent / _HOSTS, most))
    return [*runner, "--host-discovery-script", script, *program]


def _own_hosts(path: Path, n_ranks: int) -> Path:
    """A program that names this machine twice, since the failure of a rank bars the host it was on for a while."""
    half = n_ranks // 2
    lines = f"localhost:{n_ranks - half}" + (f"\n127.0.0.1:{half}" if half else "")
    path.write_text(f"#!/bin/sh\ncat <<'HOSTS'\n{lines}\nHOSTS\n", encoding="ascii")
    path.chmod(0o755)
    return path


def environment(conf: TrainingConf) -> dict[str, str]:
    """This process's environment, in which ranks find this package and know the process that they must end with."""
    root = str(Path(ulm_spark.__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    ours = {"PYTHONPATH": path, **rank_settings(conf)}
    if not (conf.launch.hosts or conf.launch.discovery):  # elsewhere it has another number
        ours[PARENT_PID] = str(os.getpid())
    return {**os.environ, **ours}


def rank_settings(conf: TrainingConf) -> dict[str, str]:
    """What every rank is told by its environment, wherever it runs."""
    threads = {"OMP_NUM_THREADS": str(conf.launch.threads_per_rank)} if conf.launch.threads_per_rank else {}
    horovod = {
        **({"HOROVOD_FUSION_THRESHOLD": str(conf.launch.fusion_mb * 2**20)} if conf.launch.fusion_mb else {}),
        **({"HOROVOD_CYCLE_TIME": f"{conf.launch.cycle_ms:g}"} if conf.launch.cycle_ms else {}),
        **({"HOROVOD_AUTOTUNE": "1"} if conf.launch.autotune else {}),
    }
    return {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONUNBUFFERED": "1", **threads, **horovod}


class Listener:
    """Hears what ranks print: tells of epochs, and keeps the rest for a message."""

    def __init__(self, max_epochs: int, tell: Tell) -> None:
        self._max_epochs = max_epochs
        self._tell = tell
        self._kept: deque[str] = deque(maxlen=_KEPT_LINES)

    def hear(self, line: str) -> None:
        """One line; launchers may have put the rank before it."""
        _, mark, told = line.partition(PROGRESS_MARK)
        if mark:
            try:
                self._tell(epoch_text(json.loads(told), self._max_epochs))
            except (ValueError, KeyError):  # ranks that write at once may cut a line; that stops no training
                self._kept.append(line.strip())
        elif line.strip():
            self._kept.append(line.strip())

    def last_words(self) -> str:
        """The lines that name an error, else the last ones."""
        named = [line for line in self._kept if "Error:" in line and "Horovod detected" not in line]
        return " | ".join((named or list(self._kept))[-3:]) or "nothing"


def epoch_text(numbers: dict[str, float], max_epochs: int) -> str:
    """An epoch in words."""
    losses = "".join(f", {name} {value:.3f}" for name, value in numbers.items() if name.endswith("_loss"))
    return (
        f"epoch {numbers['epoch']:.0f}/{max_epochs}: loss {numbers['loss']:.4f}, validation NDCG@10 "
        f"{numbers['ndcg']:.4f} over {numbers['n_validation']:.0f} users{losses}, "
        f"{numbers['rows_per_s']:,.0f} sequences/s, {numbers['wait_share']:.0%} of the time waiting for rows"
    )


def progress_line(numbers: dict[str, float]) -> str:
    """What a rank prints after an epoch so that its launcher can tell of it."""
    return f"{PROGRESS_MARK}{json.dumps(numbers)}"
