"""A real Kafka broker on this machine, in a folder of the test's own, that can be killed and started again."""

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

HOST = "127.0.0.1"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
_JARS = Path(sys.prefix) / "kafka"
_SETTINGS = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


@dataclass
class Broker:
    """A broker of one node, its own controller. port stays the same over a kill and a start."""

    folder: Path
    port: int
    controller: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def servers(self) -> str:
        return f"{HOST}:{self.port}"

    def start(self) -> None:
        """Starts the broker and waits until it answers."""
        with (self.folder / "log.txt").open("ab") as log:
            # It ends with this process, should that be killed.
            command = ["setpriv", "--pdeathsig", "KILL", *_java("kafka.Kafka", str(self.folder / "server.properties"))]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Kafka did not come up: {(self.folder / 'log.txt').read_text()[-1500:]}")
            time.sleep(0.2)

    def kill(self) -> None:
        """Ends the broker as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)

    def make_topic(self, topic: str, n_partitions: int) -> None:
        """Makes a topic, and waits until it is there."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        for made in admin.create_topics([NewTopic(topic, n_partitions, 1)]).values():
            made.result(timeout=30)

    def send(self, topic: str, messages: Sequence[tuple[str | None, bytes | None]]) -> None:
        """Sends messages, each a key and a value, and waits until the broker has them."""
        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 5})
        for key, value in messages:
            producer.produce(topic, value=value, key=key)
            producer.poll(0)
        assert producer.flush(60) == 0, "the broker did not take all messages"

    def _answers(self) -> bool:
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        try:
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False


@contextmanager
def running_kafka(folder: Path) -> Iterator[Broker]:
    """A broker that serves while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    port, controller = _free_ports(2)
    settings = _SETTINGS.format(host=HOST, port=port, controller=controller, folder=folder)
    (folder / "server.properties").write_text(settings, encoding="utf-8")
    cluster = uuid.uuid4().hex[:22]
    format_it = _java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(folder / "server.properties"))
    subprocess.run(format_it, check=True, capture_output=True)
    broker = Broker(folder, port, controller)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def _java(main: str, *arguments: str) -> list[str]:
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java") or "java"
    return [java, "-Xmx512m", "-cp", f"{_JARS}/*", main, *arguments]


def _free_ports(n: int) -> list[int]:
    """So many ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for bound in sockets:
            bound.bind((HOST, 0))
        return [bound.getsockname()[1] for bound in sockets]
    finally:
        for bound in sockets:
            bound.close()
