"""The small synthetic shop, simulated and run through the whole graph."""

import io
from datetime import timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from jobs import simulate_shop
from tests.flows.settings import small_shop_config
from ulm_spark.config.load import load
from ulm_spark.contracts.tables import BY_NAME
from ulm_spark.lake.store import Lake
from ulm_spark.pipeline.display import Display
from ulm_spark.pipeline.graph import job_names
from ulm_spark.pipeline.runner import plan, run_jobs

# It sends no cookies and no devices: it costs the job that resolves them one look.
WITHOUT_ROWS = {
    "truth.identities",
    "silver.identity_links",
    "silver.identities",
    "ops.identity_changes",
    "silver.marketing_spend",
    "bronze.spend_quarantine",
    "gold.user_outlook",  # training.heads names no task
    "gold.user_lookalikes",  # and nobody names seeds
}


class Shop:
    """A lake in storage after ``ulm simulate`` and ``ulm run``, and what the first run said."""

    def __init__(self, spark: SparkSession, folder: Path, storage: str, overrides: tuple[str, ...] = ()) -> None:
        self.config = small_shop_config(folder, storage)
        self.overrides = overrides
        simulated = load(self.config, simulate_shop.Conf)
        self.as_of = simulated.simulation.ends_on - timedelta(days=30)
        simulate_shop.run(spark, simulated, simulated.simulation.ends_on)
        self.lake = Lake(spark, simulated.lake)
        self.first = self.run()

    def run(self) -> str:
        console = Console(record=True, width=160, file=io.StringIO())
        jobs = plan(job_names(), self.config, self.overrides)
        run_jobs(self.lake, jobs, self.as_of, Display(len(jobs), console))
        return console.export_text()

    def read(self, name: str) -> DataFrame:
        return self.lake.read(BY_NAME[name])
