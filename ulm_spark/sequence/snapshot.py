"""Which rows does a model learn from? A pinned version of the sequences, to the file and the row."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import dacite
import pyarrow as pa

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.conf import TrainingConf

RawT = TypeVar("RawT")
# What training reads of silver.sequences, as Parquet holds it.
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_indices", pa.list_(pa.int32())),
        ("event_codes", pa.list_(pa.int32())),
        ("gap_seconds", pa.list_(pa.int64())),
        ("amounts", pa.list_(pa.float64())),
        ("last_event_at", pa.timestamp("us", "UTC")),
    ]
)
COLUMNS = tuple(SCHEMA.names)
ARRAYS = COLUMNS[1:-1]


@dataclass(frozen=True)
class Snapshot:
    """The training set.

    as_of: the day, ISO. known_until_s: end of that day, seconds since 1970 UTC. table, version: what was
    pinned; vocabulary_table_version likewise for silver.item_vocabulary. vocabulary_version: names the content
    in whose numbers the rows are written. files: active Parquet files of the slice, sorted.
    n_rows: rows in them. columns: what is read. n_items: items of the vocabulary; indices run from
    1 to n_items. vocabulary_checksum: of the product ids in order. split_rule: in words.
    """

    as_of: str
    known_until_s: int
    table: str
    version: int
    vocabulary_table_version: int
    vocabulary_version: str
    files: tuple[str, ...]
    n_rows: int
    n_items: int
    vocabulary_checksum: str
    columns: tuple[str, ...] = COLUMNS
    split_rule: str = ""

    def checksum(self) -> str:
        """16 hex digits that name the content: of everything but where the files lie."""
        content = asdict(self)
        content["files"] = [path.rsplit("/", 1)[-1] for path in self.files]
        return _hash(content)

    def to_json(self) -> str:
        """The snapshot as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Snapshot":
        """What to_json wrote. Errors: TrainingError where a field is absent or unknown."""
        return _from_raw(cls, json.loads(text))


@dataclass(frozen=True)
class ItemAttribute:
    """One attribute of all items, as known on the day of the snapshot, whose vocabulary_version names it.

    of_item: number of its value, from item 1 on; 0 where none is known. names: of the values, the first one's number 1.
    """

    name: str
    of_item: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """All that a rank is told.

    output_dir: where rank 0 leaves the exported model. checkpoint_dir: where it leaves its state
    after each epoch; the same snapshot and settings meet the same folder again. begin_from: folder of an earlier model
    whose weights it begins with, empty for none; earlier: that model's name, which no other has. attributes: of the
    items, those that conf.model names.
    """

    snapshot: Snapshot
    conf: TrainingConf
    output_dir: str
    checkpoint_dir: str
    begin_from: str = ""
    attributes: tuple[ItemAttribute, ...] = ()
    earlier: str = ""

    def key(self) -> str:
        """16 hex digits that name all that a training begins with: training_key, the earlier model, the attributes."""
        attributes = [asdict(attribute) for attribute in self.attributes]
        return _hash([training_key(self.snapshot, self.conf), self.earlier, attributes])

    def to_json(self) -> str:
        """The manifest, its key, and the snapshot's checksum as one JSON object."""
        return json.dumps({**asdict(self), "checksum": self.key()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """What to_json wrote. Errors: TrainingError where it was changed since."""
        raw = json.loads(text)
        manifest = cls(
            _from_raw(Snapshot, raw["snapshot"]),
            _from_raw(TrainingConf, raw["conf"]),
            str(raw["output_dir"]),
            str(raw["checkpoint_dir"]),
            str(raw["begin_from"]),
            tuple(_from_raw(ItemAttribute, attribute) for attribute in raw.get("attributes", [])),
            str(raw.get("earlier", "")),
        )
        if raw.get("checksum") != manifest.key():
            raise TrainingError(
                "manifest: found a checksum that does not fit its content; expected it as the job wrote it. "
                "Run train_sequence again."
            )
        return manifest

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """The manifest in a file."""
        return cls.from_json(path.read_text(encoding="utf-8"))


def training_key(snapshot: Snapshot, conf: TrainingConf) -> str:
    """16 hex digits that name a snapshot and settings, but for who reads and trains: that may change on the way."""
    settings = asdict(conf)
    del settings["launch"]
    settings["feed"] = {name: settings["feed"][name] for name in ("shuffle_rows", "by_length")}
    return _hash({"snapshot": snapshot.checksum(), "conf": settings})


def vocabulary_checksum(product_ids: list[str]) -> str:
    """16 hex digits that name a numbering of items; the first id has index 1."""
    return _hash(product_ids)


def split_rule(conf: TrainingConf) -> str:
    """How validation is held out, in words."""
    return (
        f"a hash of user_id chooses {conf.validation_share:.0%} of users, at most about {conf.max_validation_users}; "
        "all their events at their last instant are held out for early stopping; nothing after as_of is seen"
    )


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _from_raw(kind: type[RawT], raw: dict[str, object]) -> RawT:
    try:
        return dacite.from_dict(kind, raw, dacite.Config(strict=True, cast=[tuple]))
    except dacite.DaciteError as error:
        raise TrainingError(
            f"manifest: found another {kind.__name__} than this version writes ({error}); expected its fields. "
            "Run train_sequence again."
        ) from error
