"""HDFS and YARN as real daemons on this machine, one of each, in a folder of the test's own."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.flows.jobs import ROOT

HOST = "127.0.0.1"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30
_OPENED = ("java.lang", "java.util", "java.io", "java.nio", "sun.nio.ch")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_NAMENODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"
_DATANODE = "org.apache.hadoop.hdfs.server.datanode.DataNode"
_RESOURCEMANAGER = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
_NODEMANAGER = "org.apache.hadoop.yarn.server.nodemanager.NodeManager"
_LOGGING = """log4j.rootLogger=WARN, err
log4j.appender.err=org.apache.log4j.ConsoleAppender
log4j.appender.err.target=System.err
log4j.appender.err.layout=org.apache.log4j.PatternLayout
log4j.appender.err.layout.ConversionPattern=%d %p %c: %m%n
"""


def hadoop_jars() -> Path:
    """The folder of the daemons' jars, fetched if need be; the test is skipped where they can't be had."""
    script = ROOT / "scripts" / "hadoop_jars.sh"
    fetched = subprocess.run([str(script)], capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"scripts/hadoop_jars.sh could not fetch HDFS and YARN: {fetched.stderr.strip()[-500:]}")
    return Path(fetched.stdout.strip())


@dataclass(frozen=True)
class Hadoop:
    """Daemons that serve. uri: the file system, without a slash at its end. conf_dir: what clients read."""

    folder: Path
    jars: Path
    uri: str
    http: str

    @property
    def conf_dir(self) -> Path:
        return self.folder / "conf"

    def applications(self) -> list[dict[str, object]]:
        """What the ResourceManager says of each application."""
        found = _json(f"http://{self.http}/ws/v1/cluster/apps").get("apps")
        return list(found.get("app", [])) if isinstance(found, dict) else []


@contextmanager
def running_hdfs(folder: Path) -> Iterator[Hadoop]:
    """A NameNode and a DataNode."""
    jars = hadoop_jars()
    rpc, http, *data = _free_addresses(5)
    hadoop = Hadoop(folder, jars, f"hdfs://{rpc}", http)
    for page in ("hdfs", "datanode"):
        (folder / "web" / "webapps" / page).mkdir(parents=True)
    _write_conf(folder, "core-site.xml", {"fs.defaultFS": hadoop.uri, "hadoop.tmp.dir": f"{folder}/tmp"})
    _write_conf(folder, "hdfs-site.xml", _hdfs_settings(folder, rpc, http, data))
    (hadoop.conf_dir / "log4j.properties").write_text(_LOGGING, encoding="utf-8")
    subprocess.run(_java(hadoop, _NAMENODE, "-format", "-nonInteractive"), check=True, capture_output=True)
    live = f"http://{http}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
    with _daemon(hadoop, _NAMENODE), _daemon(hadoop, _DATANODE) as datanode:
        _wait_until(lambda: _bean(live).get("NumLiveDataNodes") == 1, datanode, folder)
        yield hadoop


@contextmanager
def running_yarn(hdfs: Hadoop) -> Iterator[Hadoop]:
    """A ResourceManager and a NodeManager beside HDFS, in the same folder."""
    http, *addresses = _free_addresses(8)
    hadoop = Hadoop(hdfs.folder, hdfs.jars, hdfs.uri, http)
    _write_conf(hdfs.folder, "yarn-site.xml", _yarn_settings(hdfs.folder, http, addresses))
    _write_conf(hdfs.folder, "capacity-scheduler.xml", _QUEUES)
    nodes = f"http://{http}/jmx?qry=Hadoop:service=ResourceManager,name=ClusterMetrics"
    with _daemon(hadoop, _RESOURCEMANAGER), _daemon(hadoop, _NODEMANAGER) as nodemanager:
        _wait_until(lambda: _bean(nodes).get("NumActiveNMs") == 1, nodemanager, hdfs.folder)
        yield hadoop


def _hdfs_settings(folder: Path, rpc: str, http: str, data: list[str]) -> dict[str, object]:
    return {
        "dfs.namenode.rpc-address": rpc,
        "dfs.namenode.http-address": http,
        "dfs.namenode.name.dir": f"file://{folder}/name",
        "dfs.datanode.data.dir": f"file://{folder}/data",
        "dfs.datanode.address": data[0],
        "dfs.datanode.http.address": data[1],
        "dfs.datanode.ipc.address": data[2],
        "dfs.datanode.hostname": HOST,
        "dfs.namenode.datanode.registration.ip-hostname-check": False,
        "dfs.replication": 1,
    }


def _yarn_settings(folder: Path, http: str, addresses: list[str]) -> dict[str, object]:
    names = (
        *("resourcemanager.address", "resourcemanager.scheduler.address", "resourcemanager.resource-tracker.address"),
        *("resourcemanager.admin.address", "nodemanager.address", "nodemanager.localizer.address"),
        "nodemanager.webapp.address",
    )
    return {
        **{f"yarn.{name}": address for name, address in zip(names, addresses, strict=True)},
        "yarn.resourcemanager.hostname": HOST,
        "yarn.resourcemanager.webapp.address": http,
        "yarn.nodemanager.hostname": HOST,
        "yarn.nodemanager.local-dirs": f"{folder}/local",
        "yarn.nodemanager.log-dirs": f"{folder}/containers",
        "yarn.nodemanager.resource.memory-mb": 6144,
        "yarn.nodemanager.resource.cpu-vcores": 4,
        "yarn.nodemanager.vmem-check-enabled": False,
        "yarn.nodemanager.pmem-check-enabled": False,
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99,
        "yarn.scheduler.minimum-allocation-mb": 256,
    }


_QUEUES: dict[str, object] = {
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": 100,
    "yarn.scheduler.capacity.maximum-am-resource-percent": 0.5,
}


def _write_conf(folder: Path, name: str, settings: Mapping[str, object]) -> None:
    values = ((key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in settings.items())
    listed = "".join(f"<property><name>{key}</name><value>{escape(value)}</value></property>" for key, value in values)
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / name).write_text(f"<configuration>{listed}</configuration>", encoding="utf-8")


def _free_addresses(n: int) -> list[str]:
    """So many ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for bound in sockets:
            bound.bind((HOST, 0))
        return [f"{HOST}:{bound.getsockname()[1]}" for bound in sockets]
    finally:
        for bound in sockets:
            bound.close()


def _java_home() -> Path:
    """Where Java is; the NodeManager hands it on to its containers."""
    home = os.environ.get("JAVA_HOME")
    return Path(home) if home else Path(shutil.which("java") or "java").resolve().parent.parent


def _java(hadoop: Hadoop, main: str, *arguments: str) -> list[str]:
    class_path = f"{hadoop.conf_dir}:{hadoop.folder}/web:{hadoop.jars}/*"
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    logs = [f"-D{name}.log.dir={hadoop.folder}/logs" for name in ("hadoop", "yarn")]
    return [f"{_java_home()}/bin/java", "-Xmx384m", *opened, *logs, "-cp", class_path, main, *arguments]


@contextmanager
def _daemon(hadoop: Hadoop, main: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that ends with the block, or with this process, should that be killed."""
    (hadoop.folder / "logs").mkdir(exist_ok=True)
    command = ["setpriv", "--pdeathsig", "KILL", *_java(hadoop, main)]
    env = {**os.environ, "JAVA_HOME": str(_java_home())}
    with (hadoop.folder / "logs" / f"{main.rsplit('.', 1)[1]}.txt").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=hadoop.folder, env=env
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            logs = {path.name: path.read_text(errors="replace")[-1500:] for path in folder.glob("logs/*.txt")}
            raise AssertionError(f"a daemon did not come up: {logs}")
        time.sleep(0.3)


def _bean(url: str) -> dict[str, object]:
    """A daemon's own numbers, none while it does not answer."""
    beans = _json(url).get("beans")
    return beans[0] if isinstance(beans, list) and beans else {}


def _json(url: str) -> dict[str, object]:
    try:
        with _DIRECT.open(url, timeout=10) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError):
        return {}
