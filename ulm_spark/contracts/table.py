"""What a Delta table promises: grain, key, columns, layout, and the one job that writes it."""

from dataclasses import dataclass

LAYERS = ("bronze", "silver", "gold", "ops", "truth")
# Whoever reads the table learns what changed since it last did.
CHANGES_ARE_KEPT = (("delta.enableChangeDataFeed", "true"),)
# A MERGE marks the rows that it replaces, and rewrites no file; OPTIMIZE takes them out.
RESTATED_IN_PLACE = (*CHANGES_ARE_KEPT, ("delta.enableDeletionVectors", "true"))


@dataclass(frozen=True)
class Column:
    """One column of a table.

    type is a Spark SQL type in upper case (``STRING``, ``DECIMAL(18,4)``, ``ARRAY<INT>``);
    unit is empty where the value has none.
    """

    name: str
    type: str
    meaning: str
    nullable: bool = False
    unit: str = ""

    @property
    def ddl(self) -> str:
        """The column in a CREATE TABLE statement, its meaning as the comment."""
        null_rule = "" if self.nullable else " NOT NULL"
        comment = self.meaning.replace("\\", "\\\\").replace("'", "\\'")
        return f"`{self.name}` {self.type}{null_rule} COMMENT '{comment}'"


@dataclass(frozen=True)
class Table:
    """One Delta table.

    key names the columns that identify a row. An as-of table has ``as_of`` in its key and is
    partitioned by it, so that a run replaces its own day and nothing else. readers are the jobs
    that read the table; with writer they imply the graph of jobs. looking_back: those of them that
    read slices of earlier days too, and not that of their own day alone. read_where: the setting, as
    ``section.field``, that must be true for readers to read it; empty where they always do.
    keeps_files: true where readers stand on how many files the rows lie in, so that nobody may join them.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    writer: str
    readers: tuple[str, ...] = ()
    looking_back: tuple[str, ...] = ()
    read_where: str = ""
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    retention_days: int | None = None
    properties: tuple[tuple[str, str], ...] = ()
    keeps_files: bool = False

    def __post_init__(self) -> None:
        names = self.column_names
        if self.layer not in LAYERS or self.name.count(".") != 1:
            raise ValueError(f"{self.name}: a table is named layer.noun with a layer of {', '.join(LAYERS)}.")
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: a column is declared twice.")
        for group in (self.key, self.partition_by, self.cluster_by):
            unknown = [name for name in group if name not in names]
            if unknown:
                raise ValueError(f"{self.name}: {', '.join(unknown)} is no column of the table.")
        if set(self.looking_back) - set(self.readers):
            raise ValueError(f"{self.name}: a job looks back that is no reader.")
        if self.partition_by and self.cluster_by:
            raise ValueError(f"{self.name}: a Delta table is partitioned or clustered, never both.")

    @property
    def layer(self) -> str:
        """The part before the dot: bronze, silver, gold, ops or truth."""
        return self.name.split(".")[0]

    @property
    def noun(self) -> str:
        """The part after the dot."""
        return self.name.split(".")[1]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in the order in which the table stores them."""
        return tuple(column.name for column in self.columns)

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """Names of the columns that are numbers."""
        return tuple(c.name for c in self.columns if c.type.split("(")[0] in ("INT", "BIGINT", "DOUBLE", "DECIMAL"))

    @property
    def is_as_of(self) -> bool:
        """True where the table holds one replaceable slice a day of ``as_of``."""
        return "as_of" in self.key

    @property
    def schema_ddl(self) -> str:
        """The columns alone, as Spark reads a schema string."""
        return ", ".join(f"`{c.name}` {c.type}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)

    def create_ddl(self, identifier: str, location: str | None = None) -> str:
        """CREATE TABLE IF NOT EXISTS for an identifier (`catalog.schema.table` or ``delta.`path` ``)."""
        parts = [f"CREATE TABLE IF NOT EXISTS {identifier} ({', '.join(c.ddl for c in self.columns)}) USING DELTA"]
        if self.partition_by:
            parts.append(f"PARTITIONED BY ({', '.join(self.partition_by)})")
        if self.cluster_by:
            parts.append(f"CLUSTER BY ({', '.join(self.cluster_by)})")
        if location:
            parts.append(f"LOCATION '{location}'")
        if self.properties:
            settings = ", ".join(f"'{key}' = '{value}'" for key, value in self.properties)
            parts.append(f"TBLPROPERTIES ({settings})")
        comment = self.grain.replace("\\", "\\\\").replace("'", "\\'")
        parts.append(f"COMMENT '{comment}'")
        return " ".join(parts)
