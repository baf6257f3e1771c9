"""Writes docs/tables and docs/jobs, one page per table and per job, and docs/features.md, the catalogue of features,
from the contracts and the jobs' own words.

    python scripts/build_docs.py            writes the pages that differ and removes those of what is gone
    python scripts/build_docs.py --check    writes nothing; names stale pages and ends with 1 where there are any

Jobs are read as text, never imported, so that no Spark is needed.
"""

import argparse
import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ulm_spark.contracts.features import CATALOGUE, Feature  # noqa: E402
from ulm_spark.contracts.gold import USER_SEGMENTS  # noqa: E402
from ulm_spark.contracts.metrics import SHOP_METRIC_CATALOGUE, SHOP_METRICS  # noqa: E402
from ulm_spark.contracts.ops import EVERY_JOB  # noqa: E402
from ulm_spark.contracts.segments import RFM_CELLS, USER_RFM  # noqa: E402
from ulm_spark.contracts.table import LAYERS, Table  # noqa: E402
from ulm_spark.contracts.tables import TABLES  # noqa: E402
from ulm_spark.pipeline.graph import STREAM, STREAMED  # noqa: E402
from ulm_spark.users.segment_names import MIN_EFFECT, WORDS  # noqa: E402

GENERATED = "<!-- Written by scripts/build_docs.py. Change the contract or the docstring, then run it. -->"
LAYER_WORDS = {
    "bronze": "what arrived, to the row",
    "silver": "clean facts",
    "gold": "what is known, scored and recommended as of a day",
    "ops": "runs, models, reports",
    "truth": "what the synthetic shop planted; no job reads it, only tests and benchmarks do",
}


@dataclass(frozen=True)
class Section:
    """One section of the config file that a job reads; settings are (name, type, default)."""

    name: str
    where: str
    words: str
    settings: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Job:
    """What a job's file says of itself."""

    name: str
    words: str
    sections: tuple[Section, ...]


def _class_of(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _fields_of(found: ast.ClassDef) -> list[tuple[str, str, ast.AnnAssign]]:
    fields = [node for node in found.body if isinstance(node, ast.AnnAssign)]
    return [(ast.unparse(node.target), ast.unparse(node.annotation), node) for node in fields]


def _default_of(node: ast.AnnAssign) -> str:
    """A field's default as written; of ``field(default_factory=x)`` what the factory makes, ``x()``."""
    if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "field":
        words = {word.arg: ast.unparse(word.value) for word in node.value.keywords}
        return f"{words['default_factory']}()" if "default_factory" in words else words.get("default", "")
    return ast.unparse(node.value) if node.value else ""


def _module_of(root: Path, tree: ast.Module, name: str) -> tuple[str, ast.Module]:
    """The project's module that a name is imported from, and its text; the tree itself where it is not."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            path = root / (node.module.replace(".", "/") + ".py")
            return node.module, ast.parse(path.read_text(encoding="utf-8")) if path.exists() else tree
    return "", tree


def _section_of(root: Path, name: str, kind: str, tree: ast.Module) -> Section:
    module, there = _module_of(root, tree, kind)
    found = _class_of(there, kind)
    if found is None:
        return Section(name, kind, "", ())
    words, settings = ast.get_docstring(found) or "", []
    for field, field_kind, node in _fields_of(found):
        default = _default_of(node)
        nested = _section_of(root, field, field_kind, there) if default == f"{field_kind}()" else None
        if nested is None or not nested.settings:
            settings.append((field, field_kind, _spelled_out(there, default)))
            continue
        words += f"\n\n`{field}`: {nested.words}"
        settings += [(f"{field}.{inner}", kind, default) for inner, kind, default in nested.settings]
    return Section(name, f"{module}.{kind}", words, tuple(settings))


def _spelled_out(tree: ast.Module, default: str) -> str:
    """What a constant holds or a function without parameters returns, where the module itself has it."""
    name = default.removesuffix("()")
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == default and node.value:
            return ast.unparse(node.value)
        if isinstance(node, ast.FunctionDef) and node.name == name and isinstance(node.body[-1], ast.Return):
            return ast.unparse(node.body[-1].value) if node.body[-1].value else default
    return default


def _sections_of(root: Path, kind: str, tree: ast.Module) -> tuple[Section, ...]:
    """The sections of a Conf, its base classes' first."""
    there = _module_of(root, tree, kind)[1]
    conf = _class_of(there, kind)
    if conf is None:
        return ()
    of_bases = [section for base in conf.bases for section in _sections_of(root, ast.unparse(base), there)]
    return (*of_bases, *(_section_of(root, name, kind, there) for name, kind, _ in _fields_of(conf)))


def read_job(root: Path, path: Path) -> Job:
    """A job's docstring and the sections of its Conf, from its text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return Job(path.stem, ast.get_docstring(tree) or "", _sections_of(root, "Conf", tree))


def read_jobs(root: Path) -> list[Job]:
    """Every job, by name."""
    return [read_job(root, path) for path in sorted((root / "jobs").glob("*.py")) if path.name != "__init__.py"]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _grid(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(_cell(text) for text in row)} |" for row in rows)]


def _job_link(name: str, jobs: set[str], folder: str) -> str:
    return f"[{name}]({folder}{name}.md)" if name in jobs else name


def _table_links(tables: list[Table]) -> str:
    return ", ".join(f"[{table.name}](../tables/{table.name}.md)" for table in tables) or "no table"


def table_page(table: Table, jobs: set[str]) -> str:
    """The page of one table."""
    readers = ", ".join(_job_link(name, jobs, "../jobs/") for name in table.readers)
    facts = [
        ("Layer", f"{table.layer}: {LAYER_WORDS[table.layer]}"),
        ("Key", ", ".join(table.key)),
        ("Written by", _job_link(table.writer, jobs, "../jobs/")),
        ("Read by", readers or "no job"),
    ]
    facts += [("Read where", f"`{table.read_where}` is true")] if table.read_where else []
    facts += [("Partitioned by", ", ".join(table.partition_by))] if table.partition_by else []
    facts += [("Clustered by", ", ".join(table.cluster_by))] if table.cluster_by else []
    facts += [("Kept", f"{table.retention_days} days")] if table.retention_days is not None else []
    facts += [("Delta property", f"`{key}` = `{value}`") for key, value in table.properties]
    columns = [(f"`{c.name}`", f"`{c.type}`", "yes" if c.nullable else "", c.unit, c.meaning) for c in table.columns]
    return "\n".join(
        [
            GENERATED,
            f"# {table.name}",
            "",
            table.grain,
            "",
            *_grid(("", ""), facts),
            "",
            "## Columns",
            "",
            *_grid(("Column", "Type", "Null", "Unit", "Meaning"), columns),
            "",
            *_values_of(table),
        ]
    )


def _values_of(table: Table) -> list[str]:
    """What the values of a table mean that are names of other things."""
    if table == SHOP_METRICS:
        rows = [(f"`{metric.name}`", metric.title, metric.formula, metric.unit) for metric in SHOP_METRIC_CATALOGUE]
        return ["## Metrics", "", *_grid(("Metric", "Title", "Over the window", "Unit"), rows), ""]
    if table == USER_RFM:
        cells = [(f"recency {score}", *names) for score, names in RFM_CELLS.items()]
        heads = ("", *(f"frequency {score}" for score in range(1, 6)))
        return ["## Cells", "", "The best score is 5.", "", *_grid(heads, cells), ""]
    if table == USER_SEGMENTS:
        said = [(f"`{feature}`", word.high, word.low) for feature, word in WORDS.items()]
        words = (
            f"A label says in what a segment's mean lies {MIN_EFFECT} standard deviations or more above or below "
            "that of all users. Buyers are segments in which half or more ever bought, visitors those below, window "
            "shoppers those below a tenth."
        )
        return ["## Words of the labels", "", words, "", *_grid(("Feature", "Above", "Below"), said), ""]
    return []


def _section_lines(section: Section) -> list[str]:
    lines = ["", f"### `{section.name}`", "", f"`{section.where}`"]
    lines += ["", section.words] if section.words else []
    if section.settings:
        rows = [(f"`{name}`", f"`{kind}`", f"`{value or 'required'}`") for name, kind, value in section.settings]
        lines += ["", *_grid(("Setting", "Type", "Default"), rows)]
    return lines


def job_page(job: Job, tables: tuple[Table, ...]) -> str:
    """The page of one job."""
    does = STREAMED if job.name == STREAM else (job.name,)
    writes = [table for table in tables if table.writer in does]
    reads = [table for table in tables if {*does} & {*table.readers} and (len(does) == 1 or table not in writes)]
    if job.name == STREAM:  # it refuses the settings under which its jobs read more
        reads = [table for table in reads if not table.read_where]
    rows = f"a row for each of {' and '.join(does)}" if len(does) > 1 else "its row"
    lines = [GENERATED, f"# {job.name}", "", job.words, ""]
    lines += _grid(("", ""), [("Reads", _table_links(reads)), ("Writes", _table_links(writes))])
    lines += ["", f"Every run adds {rows} to [ops.runs](../tables/ops.runs.md).", "", "## Running it alone", "", "```"]
    lines += [f"spark-submit jobs/{job.name}.py --config conf/demo.yaml --as-of YYYY-MM-DD", "```"]
    if job.sections:
        lines += ["", "## Settings", "", "Sections of the config file that the job reads."]
        for section in job.sections:
            lines += _section_lines(section)
    return "\n".join([*lines, ""])


def table_index(tables: tuple[Table, ...], jobs: set[str]) -> str:
    """The list of tables, by layer, in data-flow order."""
    lines = [GENERATED, "# Tables", "", f"{len(tables)} Delta tables, in the order in which data flows."]
    for layer in [name for name in LAYERS if any(table.layer == name for table in tables)]:
        rows = [
            (f"[{table.name}]({table.name}.md)", table.grain, _job_link(table.writer, jobs, "../jobs/"))
            for table in tables
            if table.layer == layer
        ]
        lines += ["", f"## {layer.capitalize()}: {LAYER_WORDS[layer]}", ""]
        lines += _grid(("Table", "Grain", "Written by"), rows)
    return "\n".join([*lines, ""])


def job_index(jobs: list[Job]) -> str:
    """The list of jobs, by name."""
    words = "Each can be submitted alone; `ulm run` runs them in the order of their tables."
    rows = [(f"[{job.name}]({job.name}.md)", job.words.split("\n\n")[0]) for job in jobs]
    return "\n".join([GENERATED, "# Jobs", "", words, "", *_grid(("Job", "What it does"), rows), ""])


def _window_of(feature: Feature) -> str:
    if feature.window_days is None:
        return "life"
    return "1 day" if feature.window_days == 1 else f"{feature.window_days} days"


def feature_page(features: Sequence[Feature]) -> str:
    """The catalogue of features, in the order of their table."""
    words = (
        f"{len(features)} features of a user as of a day: the columns of [gold.user_features]"
        "(tables/gold.user_features.md). A window of n days ends with as_of; life is all that is known. Mornings last "
        "from 6 to 12 o'clock, afternoons to 18, evenings to 24, nights from 0 to 6, local time. A price band b holds "
        "prices from 2^b to 2^(b+1): 3 is 8 to 16. Ratings and sentiments are those that the source sends with "
        "reviews (`rating`, and `sentiment` among the attributes)."
    )
    rows = [
        (
            f"`{feature.name}`",
            "life"
            if feature.window_days is None
            else "1 day"
            if feature.window_days == 1
            else f"{feature.window_days} days",
            feature.unit,
            feature.meaning,
            feature.null_rule or "never null",
            ", ".join(f"`{source}`" for source in feature.sources),
            feature.owner,
        )
        for feature in features
    ]
    heads = ("Feature", "Window", "Unit", "Meaning", "Null", "Made of", "Owner")
    return "\n".join([GENERATED, "# Features", "", words, "", *_grid(heads, rows), ""])


def build_pages(root: Path, tables: tuple[Table, ...]) -> dict[str, str]:
    """Every generated page by its path below docs/."""
    jobs = read_jobs(root)
    names = {job.name for job in jobs}
    unknown = sorted({t.writer for t in tables} - names - {EVERY_JOB})
    if unknown:
        print(f"build_docs: no file jobs/NAME.py yet for {', '.join(unknown)}", file=sys.stderr)
    pages = {f"tables/{table.name}.md": table_page(table, names) for table in tables}
    pages |= {f"jobs/{job.name}.md": job_page(job, tables) for job in jobs}
    pages["features.md"] = feature_page(CATALOGUE)
    return pages | {"tables/README.md": table_index(tables, names), "jobs/README.md": job_index(jobs)}


def stale_pages(docs: Path, pages: dict[str, str]) -> list[str]:
    """Pages that are absent, that differ, or that nothing stands behind any more."""
    found = [*(docs / "tables").glob("*.md"), *(docs / "jobs").glob("*.md"), *docs.glob("features.md")]
    there = {str(path.relative_to(docs)) for path in found}
    differ = {name for name, text in pages.items() if name in there and (docs / name).read_text("utf-8") != text}
    return sorted(differ | (set(pages) ^ there))


def write_pages(docs: Path, pages: dict[str, str]) -> list[str]:
    """Makes the pages current; gives the names of those that were not."""
    stale = stale_pages(docs, pages)
    for name in stale:
        if name in pages:
            (docs / name).parent.mkdir(parents=True, exist_ok=True)
            (docs / name).write_text(pages[name], encoding="utf-8")
        else:
            (docs / name).unlink()
    return stale


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write docs/tables and docs/jobs from contracts and docstrings.")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a page is stale")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the pages (default: docs)")
    options = parser.parse_args(argv)
    pages = build_pages(ROOT, TABLES)
    if not options.check:
        for name in write_pages(options.docs, pages):
            print(options.docs / name)
        return 0
    stale = stale_pages(options.docs, pages)
    for name in stale:
        print(f"docs/{name}: not what the contracts and docstrings say; run scripts/build_docs.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
