"""In which stage of life are the users, and how do they move from stage to stage?"""

from datetime import date

from ulm_spark.contracts.stages import STAGE_MODELS, STAGES
from ulm_spark.report import figures, words
from ulm_spark.report.blocks import Cell, Chart, Grid, Section, text_row
from ulm_spark.report.records import Record, Records, ReportTables

RULES, HIDDEN_MARKOV = STAGE_MODELS
IN_WORDS = {RULES: "the rules", HIDDEN_MARKOV: "the hidden Markov model"}
FLOW_STEPS = 5  # ends of periods drawn side by side
INTRO = (
    "Users before their first purchase are in acquisition, then in growth and maturity by their orders; late by their "
    "own rhythm they are in decline, lost they are churned, and a purchase wins them back. Told by rules, and by a "
    "hidden Markov model fitted on purchases and visits."
)


def _size_chart(counts: Records) -> Chart:
    by_rules = {stage: _total(counts, "stage", stage) for stage in STAGES}
    by_model = {stage: _total(counts, "model_stage", stage) for stage in STAGES}
    n_all = sum(by_rules.values())
    n_alike = sum(row.number("n_users") for row in counts if row.text("stage") == row.text("model_stage"))
    texts = [f"{words.brief(n)} · {words.percent(words.share_of(n, n_all), 0)}" for n in by_rules.values()]
    names = [words.plain(stage) for stage in STAGES]
    rows = tuple(
        text_row(
            words.plain(stage),
            words.whole(by_rules[stage]),
            words.percent(words.share_of(by_rules[stage], n_all)),
            words.whole(by_model[stage]),
            words.percent(words.share_of(by_model[stage], n_all)),
        )
        for stage in STAGES
    )
    return Chart(
        "chart-stages",
        "Users in each stage",
        "; ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True)),
        f"Bars are the stages by {IN_WORDS[RULES]}, the column stage of gold.user_stages; the numbers hold those by "
        f"{IN_WORDS[HIDDEN_MARKOV]}, model_stage, beside them. "
        f"Both say the same of {words.percent(words.share_of(n_alike, n_all))} of the users.",
        figures.bars_across(names, list(by_rules.values()), texts, ""),
        figures.bar_height(len(names)) - 10,
        Grid("Users by stage", ("Stage", "Rules", "Share", "Model", "Share"), rows),
    )


def _flow_chart(moves: Records) -> Chart:
    ends = sorted({row.day("period_on") for row in moves})[-(FLOW_STEPS - 1) :]
    period = (ends[-1] - ends[-2]) if len(ends) > 1 else None
    begins = words.day(ends[0] - period) if period else "Before"
    found = {(row.day("period_on"), row.text("from_stage"), row.text("to_stage")): row.number("n") for row in moves}
    moved = [[[found.get((on, came, went), 0.0) for went in STAGES] for came in STAGES] for on in ends]
    changed = [_changed(moves, on) for on in ends]
    lines = tuple(
        text_row(words.day(on), words.plain(came), words.plain(went), words.whole(n))
        for (on, came, went), n in sorted(found.items(), key=lambda item: (item[0][0], -item[1], item[0][1:]))
        if on in ends and came != went
    )
    return Chart(
        "chart-stage-flow",
        "How users moved between stages",
        f"In the period that ended on {words.day(ends[-1])}, {words.percent(changed[-1])} of the users changed their "
        f"stage; {', '.join(words.percent(share) for share in changed[:-1]) or 'no share'} in those before it.",
        f"Each column is the end of a period, from left to right, the last {words.day(ends[-1])}; bands are the users "
        f"who went from one stage to the next, by {IN_WORDS[RULES]}. Straight bands stayed as they were.",
        figures.flow([begins, *map(words.day, ends)], [words.plain(stage) for stage in STAGES], moved),
        380,
        Grid("Users who changed their stage", ("Period until", "From", "To", "Users"), lines, n_labels=3),
    )


def _changed(moves: Records, on: date) -> float | None:
    of_day = [row for row in moves if row.day("period_on") == on]
    changed = [row for row in of_day if row.text("from_stage") != row.text("to_stage")]
    return words.share_of(_sum(changed), _sum(of_day))


def _matrix(moves: Records, model: str) -> Grid:
    """Of the users of a stage, the share that was in each stage a period later, all periods of the history together."""
    own = [row for row in moves if row.text("model") == model]
    rows = []
    for came in STAGES:
        from_here = [row for row in own if row.text("from_stage") == came]
        n_all = _sum(from_here)
        shares = [words.share_of(_sum([r for r in from_here if r.text("to_stage") == went]), n_all) for went in STAGES]
        cells = (Cell(words.percent(share), heat=share) if share else Cell("") for share in shares)
        rows.append((Cell(words.plain(came)), Cell(words.whole(n_all)), *cells))
    n_periods = len({row.day("period_on") for row in own})
    caption = (
        f"Share of a stage's users that was in each stage a period later, by {IN_WORDS[model]}, {n_periods} periods"
    )
    return Grid(caption, ("From", "User periods", *(words.plain(stage) for stage in STAGES)), tuple(rows))


def _total(rows: Records, column: str, stage: str) -> float:
    return _sum([row for row in rows if row.text(column) == stage], "n_users")


def _sum(rows: list[Record], column: str = "n") -> float:
    return sum(row.number(column) for row in rows)


def stages(tables: ReportTables) -> Section:
    """How many users are in which stage, how they moved in the last periods, and the transition matrices."""
    if not tables.stage_counts:
        return Section("stages", "Stages of life", INTRO, ("No stages were told for this day.",))
    charts = [_size_chart(tables.stage_counts)]
    by_rules = tuple(row for row in tables.stage_transitions if row.text("model") == RULES)
    if not by_rules:
        why = "No user has been here for a second period yet, so nobody has moved."
        return Section("stages", "Stages of life", INTRO, (why,), charts=tuple(charts))
    charts.append(_flow_chart(by_rules))
    grids = tuple(_matrix(tables.stage_transitions, model) for model in (RULES, HIDDEN_MARKOV))
    return Section("stages", "Stages of life", INTRO, charts=tuple(charts), grids=grids)
