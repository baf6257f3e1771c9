"""Who is who in 10 million links: rounds and seconds beside union-find in one process, and planted identities found.

Draws links of persons with a handful of cookies and devices each, a chain of 1,000 identifiers in random order
and a device with 100,000 cookies, and finds their components by our stars on two cores and by SciPy's
connected_components over the same Parquet file; both must part the identifiers alike. Then simulates shops with
renewed cookies, second, household and public devices and visits before the log-in, and counts the pairs of
identifiers that are rightly and wrongly one person's, at two settings of the guard. --quick takes 100,000 links.
"""

import math
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.form import Goal, Result, at_least, at_most, main, none_of, progress
from benchmarks.sessionizers import spark_session
from ulm_spark.contracts import truth
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.identity import LINKED, IdentityRules, guard_links, kind_of, observe_links, value_of
from ulm_spark.events.identity_stars import list_edges
from ulm_spark.lake.literal import schema_of
from ulm_spark.pipeline.resolve_identities import connect, keep_frame
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.generate import simulate_events
from ulm_spark.shop.identities import IdentityLaw
from ulm_spark.shop.simulate import Indices, counts, simulate

N_LINKS, N_QUICK_LINKS = 10_000_000, 100_000
CHAIN, HUB, QUICK_HUB = 1_000, 100_000, 10_000
LINKS_A_PERSON = 7
N_PARTITIONS = 16
SHOP = SimulationConf(n_users=1_500, n_days=120, starts_on=date(2025, 3, 1), identities=IdentityLaw(sends_ids=True))


def draw_links(spark: SparkSession, n_links: int, hub: int) -> DataFrame:
    """Links between identifiers whose texts tell nothing of which person's they are."""

    def name(number: Column) -> Column:
        return F.substring(F.sha2(number.cast("string"), 256), 1, 12)

    n_drawn = n_links - hub - (CHAIN - 1)
    person = F.floor(F.col("id") / LINKS_A_PERSON)
    # A tree of random shape: each identifier is linked with an earlier one of its person.
    nth = F.col("id") % LINKS_A_PERSON
    earlier = F.pmod(F.xxhash64("id"), nth + 1)
    drawn = spark.range(n_drawn).select(name(person * 10 + nth + 1).alias("a"), name(person * 10 + earlier).alias("b"))
    chain = spark.range(CHAIN - 1).select(name(-1 - F.col("id")).alias("a"), name(-2 - F.col("id")).alias("b"))
    star = spark.range(hub).select(name(F.lit(-10_000_000)).alias("a"), name(-20_000_000 - F.col("id")).alias("b"))
    return (
        drawn.union(chain)
        .union(star)
        .select(
            F.lit("cookie").alias("left_kind"),
            F.least("a", "b").alias("left_value"),
            F.lit("cookie").alias("right_kind"),
            F.greatest("a", "b").alias("right_value"),
            F.lit(LINKED).alias("state"),
        )
    )


def union_find(links: pd.DataFrame) -> pd.Series:
    """The smallest identifier of each one's component, by identifier."""
    codes, names = pd.factorize(pd.concat([links.left_value, links.right_value], ignore_index=True), sort=True)
    left, right = np.split(codes, 2)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    return pd.Series(np.asarray(names)[first[component]], index=names)


def measure_stars(spark: SparkSession, folder: Path, quick: bool) -> tuple[dict[str, float], list[Goal]]:
    """Rounds and seconds of both, and in how many identifiers they differ."""
    n_links, hub = (N_QUICK_LINKS, QUICK_HUB) if quick else (N_LINKS, HUB)
    path = str(folder / "links")
    draw_links(spark, n_links, hub).write.parquet(path)
    progress(f"stars over {n_links} links")
    began_s = time.monotonic()
    persons, n_rounds = connect(list_edges(spark.read.parquet(path)), keep_frame)
    stars_s = time.monotonic() - began_s
    ours = persons.select(value_of(F.col("node")).alias("name"), F.substring_index("person_id", ":", -1).alias("least"))
    ours.write.parquet(str(folder / "persons"))
    progress("union-find")
    began_s = time.monotonic()
    oracle = union_find(pd.read_parquet(path, columns=["left_value", "right_value"]))
    oracle_s = time.monotonic() - began_s
    found = pd.read_parquet(folder / "persons").set_index("name")["least"]
    n_differing = len(oracle) if len(found) != len(oracle) else int((found.reindex(oracle.index) != oracle).sum())
    log2 = math.log2(max(CHAIN, hub))
    figures = {"links": n_links, "identifiers": len(oracle), "components": oracle.nunique(), "rounds": n_rounds}
    figures |= {"stars_s": round(stars_s, 1), "union_find_s": round(oracle_s, 1)}
    goals = [
        none_of("identifiers whose component differs from union-find's", n_differing),
        at_most("rounds over log2 of the longest chain", n_rounds / math.log2(CHAIN), 2),
        at_most("rounds over log2 of the largest component", n_rounds / log2, 1),
    ]
    return figures, goals


def pairwise(found: pd.Series, planted: pd.Series) -> tuple[float, float]:
    """Precision and recall over pairs of identifiers; who has no person is nobody's but his own."""

    def pairs(counts: Iterable[int]) -> float:
        sizes = np.asarray(list(counts), dtype=float)
        return float((sizes * (sizes - 1) / 2).sum())

    frame = pd.DataFrame({"found": found, "planted": planted})
    both = pairs(frame.groupby(["found", "planted"]).size())
    return both / max(pairs(frame.groupby("found").size()), 1), both / pairs(frame.groupby("planted").size())


def measure_shop(spark: SparkSession, quick: bool) -> dict[str, float]:
    """Pairwise precision and recall of the planted identities at one and at two log-ins a device."""
    conf = replace(SHOP, n_users=150) if quick else SHOP
    users, *others = [spark.range(0, n, 1, conf.pieces(n)) for n in counts(conf)]
    made = simulate(keep_frame(simulate_events(users, conf)), Indices(users, *others), conf, "EUR")
    own = made.lines.where("kind = 'event'").select(
        F.from_json(F.decode("line", "UTF-8"), schema_of(EVENTS)).alias("e")
    )
    links = keep_frame(observe_links(own.select("e.*")))
    planted = dict(made.truth)[truth.IDENTITIES].where("NOT is_shared").toPandas()
    owner = pd.Series(planted.user_id.to_numpy(), index=planted.id_kind + ":" + planted.id_value)
    logins = pd.Series(owner.unique(), index="user:" + pd.Series(owner.unique()))
    owner = pd.concat([owner, logins])
    figures: dict[str, float] = {"planted_identifiers": len(owner)}
    for most in (1, 2):
        named, _ = connect(list_edges(guard_links(links, IdentityRules(most))), keep_frame)
        node = F.col("node")
        rows = named.select(F.concat(kind_of(node), F.lit(":"), value_of(node)).alias("name"), "person_id").toPandas()
        found = rows.set_index("name")["person_id"].reindex(owner.index)
        found = found.where(found.notna(), owner.index.to_series())
        precision, recall = pairwise(found, owner)
        figures |= {f"precision_{most}": round(precision, 4), f"recall_{most}": round(recall, 4)}
    return figures


def measure(quick: bool) -> Result:
    """Both parts, one after the other."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as name:
        spark = spark_session(name, N_PARTITIONS)
        progress("planted identities")
        shop = measure_shop(spark, quick)
        figures, goals = measure_stars(spark, Path(name), quick)
        spark.stop()
    goals += [
        at_least("pairwise precision of planted identities", shop["precision_1"], 0.99),
        at_least("pairwise recall of planted identities", shop["recall_1"], 0.9),
    ]
    rows = [
        (f"{figures['links']:,} links, stars", f"{figures['stars_s']:.1f} s", f"{figures['rounds']} rounds"),
        ("the same, union-find in one process", f"{figures['union_find_s']:.1f} s", ""),
    ]
    for most in (1, 2):
        guard = f"planted identities, at most {most} log-ins a device"
        rows.append((guard, f"precision {shop[f'precision_{most}']:.4f}", f"recall {shop[f'recall_{most}']:.4f}"))
    return Result("identity", ("what", "value", ""), tuple(rows), figures | shop, tuple(goals))


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
