from dataclasses import replace
from pathlib import Path

import pytest

from tests.sequence.histories import SMALL, manifest_of
from ulm_spark.sequence.conf import FeedConf
from ulm_spark.sequence.learning_conf import OptimiserConf
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.shard import Shard


@pytest.mark.parametrize("n_accumulated", [1, 3, 50])
def test_an_epoch_has_as_many_moves_as_the_rate_was_told(tmp_path: Path, n_accumulated: int) -> None:
    asked = OptimiserConf(n_accumulated=n_accumulated)
    conf = replace(SMALL, optimiser=asked, feed=FeedConf("arrow", shuffle_rows=15), batch_size=4)
    shard = Shard(manifest_of(tmp_path, 40, 6, conf), Ranks())
    assert len(shard.pools) > 1
    steps = [batches for _, batches in shard.steps(shard.pools, 0)]
    assert len(steps) == shard.n_moves
    assert max(map(len, steps)) <= n_accumulated
