"""How good are the models? Churn risk against outcome, examples, and metrics with their baselines."""

from ulm_spark.report import figures, words
from ulm_spark.report.blocks import Card, Cell, Chart, Grid, Item, ItemList, Section, text_row
from ulm_spark.report.records import Record, Records, ReportTables
from ulm_spark.stats.proportion import wilson_interval

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "brier_score", "mae", "rmse", "calibration_error"})
TASKS = {"churn": "Churn", "items": "Recommended items", "sessions": "Sessions"}
LISTS = {"history": "Bought before", "als": "ALS", "popularity": "Popularity", "sequence": "Sequence model"}
LIST_ORDER = ("history", "sequence", "als", "popularity")


def _by_decile(rows: Records) -> list[Record]:
    return sorted(rows, key=lambda row: row.count("risk_decile"))


def _churn_chart(rows: list[Record], is_known: bool) -> Chart:
    names = [str(row.count("risk_decile")) for row in rows]
    forecast = [row.number("mean_p_churn") for row in rows]
    observed = []
    for row in rows if is_known else []:
        low, high = wilson_interval(row.number("churn_rate"), row.number("n_users"))
        observed.append((row.number("churn_rate"), low, high))
    shows = f"Mean forecast from {words.percent(forecast[0])} in tenth {names[0]}"
    shows += f" to {words.percent(forecast[-1])} in tenth {names[-1]}"
    read = (
        "Users are sorted by forecast risk and cut into ten equal groups. Points are the mean forecast of each group. "
    )
    heads = ["Tenth", "Users", "Forecast"]
    if is_known:
        shows += f"; observed from {words.percent(observed[0][0])} to {words.percent(observed[-1][0])}"
        read += (
            "Bars are the share that indeed did not buy again, with its 95% interval. Bars that rise to the right mean "
            "that the order is right; points on the bars' ends mean that the numbers can be taken as probabilities."
        )
        heads += ["Observed", "95% interval"]
    else:
        read += "The outcome is added to the same chart once the horizon is over."
    body = []
    for place, row in enumerate(rows):
        cells = [names[place], words.whole(row.number("n_users")), words.percent(forecast[place])]
        if is_known:
            value, low, high = observed[place]
            cells += [words.percent(value), f"{words.percent(low)} to {words.percent(high)}"]
        body.append(text_row(*cells))
    numbers = Grid("Forecast and outcome by tenth of risk", tuple(heads), tuple(body))
    figure = figures.forecast_and_outcome(names, forecast, observed)
    return Chart("chart-churn", "Forecast churn and outcome", shows + ".", read, figure, 320, numbers)


def churn(tables: ReportTables) -> Section:
    """Forecast against outcome by decile; the forecast alone while the outcome is unknown."""
    intro = "A buyer churns when no purchase follows in the horizon after the forecast."
    known, scored = _by_decile(tables.churn_outcomes), _by_decile(tables.churn_deciles)
    if known:
        on = known[0].day("as_of")
        intro += f" Forecast made as of {words.day(on)}."
        missing: tuple[str, ...] = ()
        if on != tables.as_of:
            missing = (
                f"The outcome of the forecast of {words.day(tables.as_of)} is not known yet; "
                f"shown is the latest forecast whose outcome is, that of {words.day(on)}.",
            )
        return Section("churn", "Churn risk", intro, missing, charts=(_churn_chart(known, True),))
    if not scored:
        return Section("churn", "Churn risk", intro, ("No user was scored for this day.",))
    horizon = max(row.count("horizon_days") for row in scored)
    why = (
        f"The outcome is not known yet: it needs all purchases of the {horizon} days after {words.day(tables.as_of)}. "
        "Run the jobs evaluate_models and build_report for this day again when they are in the lake."
    )
    return Section("churn", "Churn risk", intro, (why,), charts=(_churn_chart(scored, False),))


def _item_list(name: str, rows: list[Record], n_items: int) -> ItemList:
    rows = sorted(rows, key=lambda row: row.count("place"))[:n_items]
    items = tuple(
        Item(
            row.count("place"), row.text("title") or row.text("product_id"), row.text("product_id"), row.flag("is_hit")
        )
        for row in rows
    )
    return ItemList(LISTS.get(name, name), name == "history", items)


def examples(tables: ReportTables, n_users: int, n_items: int) -> Section:
    """A few users: what they bought, what each model recommends, and what they then bought."""
    intro = (
        "Some users' history beside what each model recommends. A tick marks a recommended product that the "
        "user did buy in the test window after the day."
    )
    rows = tables.recommendation_examples
    if not rows:
        why = "No examples yet: they are drawn when the purchases after the day are in the lake."
        return Section("recommendations", "Recommendations", intro, (why,), is_card_row=True)
    cards = []
    for user in sorted({row.text("user_id") for row in rows})[:n_users]:
        own = [row for row in rows if row.text("user_id") == user]
        found = {row.text("list_name") for row in own}
        order = [*(name for name in LIST_ORDER if name in found), *sorted(found - set(LIST_ORDER))]
        lists = tuple(_item_list(name, [r for r in own if r.text("list_name") == name], n_items) for name in order)
        n_hits = sum(item.is_hit for shown in lists if not shown.is_history for item in shown.items)
        note = {0: "No hit among those shown", 1: "One hit"}.get(n_hits, f"{n_hits} hits")
        cards.append(Card(f"User {user}", note, lists=lists))
    intro += f" As of {words.day(rows[0].day('as_of'))}."
    return Section("recommendations", "Recommendations", intro, cards=tuple(cards), is_card_row=True)


def verdict(row: Record) -> tuple[str, str]:
    """What the interval of the paired difference says, and the style of saying it."""
    if not row.text("baseline"):
        return "", ""
    low, high = row.maybe_number("difference_low"), row.maybe_number("difference_high")
    if low is None or high is None:
        return "no interval", ""
    if row.text("metric") in LOWER_IS_BETTER:
        low, high = -high, -low
    if low > 0:
        return "better", "good"
    return ("worse", "bad") if high < 0 else ("unclear", "")


def _quality_grid(rows: list[Record]) -> Grid:
    body = []
    for row in rows:
        says, kind = verdict(row)
        value, baseline = row.number("value"), row.maybe_number("baseline_value")
        against = f"{row.text('baseline')} {words.decimal(baseline)}" if row.text("baseline") else words.NOTHING
        body.append(
            (
                Cell(row.text("model")),
                Cell(words.plain(row.text("metric"))),
                Cell(says, kind=kind),
                Cell(words.decimal(value)),
                Cell(words.between(row.maybe_number("value_low"), row.maybe_number("value_high"))),
                Cell(against),
                Cell(words.between(row.maybe_number("difference_low"), row.maybe_number("difference_high"))),
                Cell(words.whole(row.number("n"))),
            )
        )
    heads = ("Model", "Metric", "Verdict", "Value", "95% interval", "Baseline", "Difference, 95%", "Measured on")
    # A column in which nothing is known is left out.
    told = [n for n in range(len(heads)) if any(row[n].text not in ("", words.NOTHING) for row in body)]
    protocols = sorted({row.text("protocol") for row in rows} - {""})
    # One that another merely goes on from says nothing more.
    whole = [p for p in protocols if not any(q != p and q.startswith(p) for q in protocols)]
    shown = tuple(tuple(row[n] for n in told) for row in body)
    return Grid(". ".join(whole), tuple(heads[n] for n in told), shown, n_labels=sum(n < 3 for n in told))


def _quality_chart(task: str, rows: list[Record], grid: Grid) -> Chart:
    title = TASKS.get(task, words.plain(task).capitalize())
    names = [f"{row.text('model')} · {words.plain(row.text('metric'))}" for row in rows]
    values = [(row.number("value"), row.maybe_number("value_low"), row.maybe_number("value_high")) for row in rows]
    shows = "; ".join(f"{name}: {words.decimal(value)}" for name, (value, _, _) in zip(names, values, strict=True))
    lower = sorted({words.plain(row.text("metric")) for row in rows if row.text("metric") in LOWER_IS_BETTER})
    read = "The dot is the model, its line the 95% interval; the ring is the baseline on the same users. "
    read += "Further right is better"
    read += f", but not for {' and '.join(lower)}, where less is better." if lower else "."
    read += (
        " Where the difference's interval in the table lies on one side of zero, more than chance sets the two apart."
    )
    figure = figures.points_and_baseline(
        [words.label(name) for name in names], values, [row.maybe_number("baseline_value") for row in rows]
    )
    chart_id = "chart-quality-" + "".join(c if c.isalnum() else "-" for c in task.lower())
    return Chart(chart_id, title, shows, read, figure, figures.bar_height(len(rows)) + 40, grid, is_open=True)


def _trained(rows: Records) -> tuple[Grid, ...]:
    if not rows:
        return ()
    body = []
    for row in sorted(rows, key=lambda row: row.text("model")):
        measures = [f"{words.plain(name)} {words.measured(value)}" for name, value in row.measures("metrics").items()]
        body.append(
            text_row(row.text("model"), ", ".join(measures[:8]) or words.NOTHING, words.whole(row.number("n_rows")))
        )
    return (
        Grid(
            "Models trained for this day, and what training itself measured",
            ("Job", "Measures", "Rows"),
            tuple(body),
            2,
        ),
    )


def quality(tables: ReportTables) -> Section:
    """Each task's metrics beside a baseline, with bootstrap intervals."""
    intro = "Measured on what happened after the day, against a simple baseline on the same users."
    rows = sorted(tables.model_quality, key=lambda r: (r.text("task"), r.text("metric"), r.text("model")))
    trained = _trained(tables.models)
    if not rows:
        why = "Nothing is measured yet: the outcome after this day is not in the lake."
        return Section("quality", "Model quality", intro, (why,), grids=trained)
    on = rows[0].day("as_of")
    intro += f" Models as of {words.day(on)}."
    charts: list[Chart] = []
    grids: list[Grid] = []
    for task in sorted({row.text("task") for row in rows}):
        own = [row for row in rows if row.text("task") == task]
        grid = _quality_grid(own)
        compared = [row for row in own if row.maybe_number("baseline_value") is not None]
        if compared:
            charts.append(_quality_chart(task, compared, grid))
        else:
            grids.append(Grid(f"{TASKS.get(task, task)}: {grid.caption}", grid.heads, grid.rows, grid.n_labels))
    return Section("quality", "Model quality", intro, charts=tuple(charts), grids=(*grids, *trained))
