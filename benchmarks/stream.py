"""How long after Kafka has an event its open session is in Delta, at a steady rate, and which rate is held.

Starts a real broker and ``ulm stream`` on this machine, and sends events of shoppers in the middle of a visit
at each rate in turn, a new lake for each. An event's seconds are from the broker's time of the message to the
commit of silver.sessions that has it. A rate is held where the last fifth of the events did not wait longer
than a fifth as long again as the second fifth. It is the best case: a young lake, no copies, nothing late. --quick
takes one rate for a short while, too short to tell whether it is held.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import yaml
from confluent_kafka import Producer
from deltalake import DeltaTable

from benchmarks.form import Goal, Result, at_least, main, progress
from tests.flows.kafka_broker import Broker, running_kafka

RATES, SECONDS = (2000, 3000, 4000, 6000), 300
QUICK_RATES, QUICK_SECONDS = (2000,), 60
N_SHOPPERS, N_PRODUCTS, N_PARTITIONS = 20_000, 5_000, 2
WARM_UP_S, CATCH_UP_S = 60, 300
MOST_GROWTH = 1.2
TOPIC = "shop"
LAPTOP = Path(__file__).parent.parent / "conf" / "env" / "laptop.yaml"


@dataclass(frozen=True)
class Held:
    """One rate. seconds: of the events in the order of their messages; n_batches: micro-batches that brought them."""

    rate: int
    seconds: np.ndarray
    n_batches: int

    @property
    def growth(self) -> float:
        """Median wait of the last fifth of the events over that of the second fifth."""
        fifth = len(self.seconds) // 5
        return float(np.median(self.seconds[-fifth:]) / np.median(self.seconds[fifth : 2 * fifth]))


def event(number: int, draw: random.Random) -> bytes:
    """An event that happens now."""
    said = {
        "event_id": f"e{number}",
        "event_at": datetime.now(UTC).isoformat(),
        "event_type": draw.choices(("view", "cart", "search"), (85, 5, 10))[0],
        "user_id": f"u{draw.randrange(N_SHOPPERS)}",
        "product_id": f"p{draw.randrange(N_PRODUCTS)}",
        "unit_price": "9.90",
        "channel": "direct",
        "device": "mobile",
    }
    return json.dumps(said).encode()


def send_at(broker: Broker, rate: int, seconds: float, first: int) -> int:
    """Sends events at the rate for so long; gives the number of the next one."""
    producer = Producer({"bootstrap.servers": broker.servers, "linger.ms": 5})
    draw, number, began_s = random.Random(first), first, time.monotonic()
    while (elapsed_s := time.monotonic() - began_s) < seconds:
        due = first + int(elapsed_s * rate)
        while number < due:
            producer.produce(TOPIC, value=event(number, draw), partition=number % N_PARTITIONS)
            number += 1
        producer.poll(0)
        time.sleep(0.02)
    if producer.flush(60):
        raise SystemExit("the broker did not take all events")
    if number - first < 0.98 * rate * seconds:
        raise SystemExit(f"this machine sent {number - first:,} events in {seconds:.0f} s, not {rate:,} a second")
    return number


def stored(lake: Path) -> int:
    """Events in silver.events, 0 while there is no such table."""
    table = lake / "silver" / "events"
    if not (table / "_delta_log").exists():
        return 0
    return int(sum(DeltaTable(str(table)).get_add_actions(flatten=True).column("num_records").to_pylist()))


def wait_until_stored(lake: Path, n: int, limit_s: float, stream: subprocess.Popen[bytes]) -> None:
    """Until the lake has so many events."""
    deadline = time.monotonic() + limit_s
    while stored(lake) < n:
        if stream.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the stream brought {stored(lake):,} of {n:,} events")
        time.sleep(1)


def waits(lake: Path, first: int) -> tuple[np.ndarray, int]:
    """Seconds from the broker's time of each event from the first on to the commit that put it into a session."""
    commits = DeltaTable(str(lake / "silver" / "sessions")).history()
    made_ms = sorted(c["timestamp"] for c in commits if c["operation"] in ("MERGE", "WRITE"))
    files = DeltaTable(str(lake / "silver" / "events")).file_uris()
    columns = "batch_id, epoch_us(received_at) / 1e6 s, cast(substr(event_id, 2) as bigint) n"
    found = duckdb.sql(f"select {columns} from read_parquet({files})").fetchnumpy()
    batches, inverse = np.unique(found["batch_id"].astype(str), return_inverse=True)
    first_of = np.full(len(batches), np.inf)
    np.minimum.at(first_of, inverse, found["n"])
    place = np.empty(len(batches), dtype=int)
    place[np.argsort(first_of)] = np.arange(len(batches))
    if len(made_ms) != len(batches):
        raise SystemExit(f"found {len(made_ms)} commits of sessions for {len(batches)} batches")
    seconds = np.asarray(made_ms)[place[inverse]] / 1000 - found["s"]
    order = np.argsort(found["n"])
    is_counted = found["n"][order] >= first
    return seconds[order][is_counted], len(np.unique(inverse[order][is_counted]))


def hold(rate: int, seconds: float, folder: Path) -> Held:
    """One rate, after some seconds of warming up at half of it."""
    lake = folder / "lake"
    config = {
        "extends": str(LAPTOP),
        "lake": {"root": str(lake)},
        "source": {"duplicate_horizon_days": 1},
        "stream": {"topic": TOPIC},
    }
    with running_kafka(folder / "kafka") as broker:
        broker.make_topic(TOPIC, N_PARTITIONS)
        config["stream"]["bootstrap_servers"] = broker.servers
        (folder / "stream.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("ulm")), "stream", "--config", str(folder / "stream.yaml")]
        with subprocess.Popen(command, env=os.environ) as stream:
            progress(f"{rate:,} events/s: warming up")
            first = send_at(broker, rate // 2, WARM_UP_S, 0)
            wait_until_stored(lake, first, CATCH_UP_S, stream)
            progress(f"{rate:,} events/s: {seconds:.0f} s")
            n = send_at(broker, rate, seconds, first)
            wait_until_stored(lake, n, CATCH_UP_S, stream)
            time.sleep(10)  # the last batch's sessions
            stream.send_signal(signal.SIGTERM)
            if stream.wait(120) != 0:
                raise SystemExit(f"the stream ended with {stream.returncode}")
    return Held(rate, *waits(lake, first))


def measure(quick: bool) -> Result:
    """Each rate, until one is not held."""
    found: list[Held] = []
    for rate in QUICK_RATES if quick else RATES:
        with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
            found.append(hold(rate, QUICK_SECONDS if quick else SECONDS, Path(folder)))
        if found[-1].growth > MOST_GROWTH:
            break
    rows, figures = [], {}
    for held in found:
        p50, p99 = (float(np.percentile(held.seconds, q)) for q in (50, 99))
        rows.append((f"{held.rate:,}", f"{p50:.1f}", f"{p99:.1f}", str(held.n_batches), f"{held.growth:.2f}"))
        figures |= {f"{held.rate}_p50_s": p50, f"{held.rate}_p99_s": p99, f"{held.rate}_growth": held.growth}
    most = max((held.rate for held in found if held.growth <= MOST_GROWTH), default=0)
    figures["rate_held"] = most
    goals: tuple[Goal, ...] = (at_least("events/s held", most, RATES[0]),)
    header = ("events/s", "p50 s", "p99 s", "micro-batches", "last over second fifth")
    return Result("stream", header, tuple(rows), figures, goals)


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
