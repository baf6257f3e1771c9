"""Training whose ranks may come and go: one that dies is left behind, one that is added joins.

All ranks go back to the state after the last pool that all had done, deal what is left of the epoch anew, and go on.
"""

from collections.abc import Callable

import horovod.tensorflow as hvd
import tensorflow as tf
from horovod.common.elastic import State, run_fn
from horovod.common.exceptions import HorovodInternalError

from ulm_spark.sequence.checkpoint import Checkpoint
from ulm_spark.sequence.loop import Keep, Trained

Run = Callable[[Checkpoint | None, Keep], Trained]


class TrainingState(State):
    """What ranks have in common after a pool. Horovod's own kinds of state broadcast once when they are made, and a
    rank that comes later would wait for ever."""

    def __init__(self, begun: Checkpoint | None) -> None:
        super().__init__(bcast_object=hvd.broadcast_object, get_rank=hvd.rank)
        self.checkpoint = self._kept = begun

    def save(self) -> None:
        """Takes the state as what to go back to."""
        self._kept = self.checkpoint

    def restore(self) -> None:
        """Goes back."""
        self.checkpoint = self._kept

    def sync(self) -> None:
        """The first rank's state on every rank; the first rank is never one that has just joined."""
        self.checkpoint = hvd.broadcast_object(self.checkpoint, root_rank=0, name="state")
        self.save()


def train_elastic(begun: Checkpoint | None, run: Run, write: Keep) -> Trained:
    """Calls run again, from the last state in common, whenever ranks have come or gone, until it is done.

    In:  begun, of an earlier run on rank 0, or None; write, which keeps a state on disk.
    Rule: run calls its second argument on all ranks after each pool; that is where new ranks are let in.
    """
    state = TrainingState(begun)

    def keep(checkpoint: Checkpoint) -> None:
        write(checkpoint)
        state.checkpoint = checkpoint
        state.commit()

    def attempt(state: TrainingState) -> Trained:
        try:
            return run(state.checkpoint, keep)
        except tf.errors.OpError as error:
            if "Horovod" in str(error.message):  # a message to a rank that is gone
                raise HorovodInternalError(error.message) from error
            raise

    found: Trained = run_fn(attempt, _reset)(state)
    return found


def _reset() -> None:
    hvd.shutdown()
    hvd.init()
