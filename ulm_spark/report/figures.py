"""How do the charts look? The few forms that the page uses, drawn with Plotly."""

from collections.abc import Mapping, Sequence
from datetime import date

import plotly.graph_objects as go
from plotly.io import to_json

TEAL = "#2a8085"
OCHRE = "#c98a2c"
GREY = "#8c9299"
RULE = "rgba(128,128,128,0.22)"
# Both ends are readable on paper and on a dark screen; the middle is the absence of a difference.
DIVERGING = [[0.0, "#b5651d"], [0.5, "#eceae4"], [1.0, "#1f6f78"]]
SEQUENTIAL = [[0.0, "#eef4f2"], [0.5, "#a3cfcb"], [1.0, "#1f7078"]]
STAGE_COLOURS = ("#5b8fb9", "#4fa3a0", "#2a8085", "#c98a2c", "#8c9299", "#8e6bad")
ROW_PX = 30


def bar_height(n_rows: int) -> int:
    """Pixels that n horizontal bars need, axis included."""
    return 70 + ROW_PX * max(n_rows, 1)


def finish(figure: go.Figure, height: int, x_title: str = "", y_title: str = "") -> str:
    """Plotly's JSON of a figure in the page's style; colours of text come from the style sheet."""
    axis = {
        "fixedrange": True,
        "gridcolor": RULE,
        "zerolinecolor": RULE,
        "automargin": True,
        "ticks": "",
        "ticklabelstandoff": 6,
    }
    figure.update_xaxes(title={"text": x_title or None, "standoff": 12, "font": {"size": 12.5}}, **axis)
    figure.update_yaxes(title={"text": y_title or None, "standoff": 10, "font": {"size": 12.5}}, **axis)
    figure.update_layout(
        template="none",
        height=height,
        autosize=True,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 12.5},
        bargap=0.34,
        dragmode=False,
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        hoverlabel={"font": {"size": 12.5}},
    )
    return str(to_json(figure, engine="json"))


def bars_across(names: Sequence[str], values: Sequence[float], texts: Sequence[str], x_title: str) -> str:
    """Horizontal bars, the first on top, each with its value in words at its end."""
    trace = go.Bar(
        x=list(values),
        y=list(names),
        orientation="h",
        marker={"color": TEAL},
        text=list(texts),
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure = go.Figure(trace)
    # Room on the right for the words behind the longest bar; charts.js fits it to the screen.
    figure.update_xaxes(range=[0, 1.42 * max([*values, 0.0]) or 1], showticklabels=False, showgrid=False)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return finish(figure, bar_height(len(names)) - 10, x_title)


def days_line(days: Sequence[date], values: Sequence[float], means: Sequence[float], y_title: str) -> str:
    """One bar a day, with the mean of the seven days that end with it as a line."""
    isoformat = [day.isoformat() for day in days]
    figure = go.Figure(
        [
            go.Bar(x=isoformat, y=list(values), name="Day", marker={"color": TEAL, "opacity": 0.42}),
            go.Scatter(
                x=isoformat,
                y=list(means),
                name="Mean of 7 days",
                mode="lines",
                line={"color": OCHRE, "width": 2.2},
            ),
        ]
    )
    figure.update_xaxes(type="date", showgrid=False)
    figure.update_yaxes(rangemode="tozero", nticks=6, tickformat="~s")
    figure.update_traces(hovertemplate="%{x|%-d %b %Y}: %{y:,.5~g}<extra>%{fullData.name}</extra>")
    return finish(figure, 290, "", y_title)


def _share_lines(x: Sequence[object], shares: Mapping[str, Sequence[float | None]], mode: str) -> go.Figure:
    figure = go.Figure()
    for (name, values), colour in zip(shares.items(), (TEAL, OCHRE, GREY), strict=False):
        line = {"color": colour, "width": 2.2}
        figure.add_scatter(x=list(x), y=list(values), name=name, mode=mode, line=line, marker={"size": 7})
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(rangemode="tozero", tickformat=".0%", nticks=6)
    return figure


def share_curves(days: Sequence[int], shares: Mapping[str, Sequence[float | None]], x_title: str) -> str:
    """One line of points for each of up to three series of shares, by days since something."""
    figure = _share_lines(days, shares, "lines+markers")
    figure.update_traces(hovertemplate="Day %{x}: %{y:.1%}<extra>%{fullData.name}</extra>")
    return finish(figure, 300, x_title)


def day_shares(days: Sequence[date], shares: Mapping[str, Sequence[float | None]]) -> str:
    """One line for each of up to three series of shares, by calendar day."""
    figure = _share_lines([day.isoformat() for day in days], shares, "lines")
    figure.update_xaxes(type="date")
    figure.update_traces(hovertemplate="%{x|%-d %b %Y}: %{y:.1%}<extra>%{fullData.name}</extra>")
    return finish(figure, 300)


def heat(
    columns: Sequence[str],
    rows: Sequence[str],
    values: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]],
    x_title: str,
    limit: float | None = None,
) -> str:
    """A heat map with the number in each cell. With a limit colours diverge from 0 to both sides."""
    colours: dict[str, object] = {"colorscale": SEQUENTIAL, "zmin": 0}
    if limit is not None:
        colours = {"colorscale": DIVERGING, "zmin": -limit, "zmax": limit}
    trace = go.Heatmap(
        z=[list(row) for row in values],
        x=list(columns),
        y=list(rows),
        text=[list(row) for row in texts],
        texttemplate="%{text}",
        textfont={"size": 11},
        hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        hoverongaps=False,
        showscale=False,
        xgap=2,
        ygap=2,
        **colours,
    )
    figure = go.Figure(trace)
    figure.update_xaxes(type="category", showgrid=False, side="top", tickangle=0)
    figure.update_yaxes(type="category", showgrid=False, autorange="reversed")
    return finish(figure, bar_height(len(rows)) + 20, x_title)


def forecast_and_outcome(
    names: Sequence[str],
    forecast: Sequence[float],
    observed: Sequence[tuple[float, float, float]],
) -> str:
    """Forecast as points, outcome as bars with its interval; observed is (value, low, high) or empty."""
    figure = go.Figure()
    if observed:
        figure.add_bar(
            x=list(names),
            y=[value for value, _, _ in observed],
            name="Observed",
            marker={"color": TEAL, "opacity": 0.55},
            error_y={
                "type": "data",
                "array": [high - value for value, _, high in observed],
                "arrayminus": [value - low for value, low, _ in observed],
                "color": GREY,
                "thickness": 1.4,
                "width": 3,
            },
        )
    figure.add_scatter(
        x=list(names),
        y=list(forecast),
        name="Forecast",
        mode="lines+markers",
        marker={"color": OCHRE, "size": 9},
        line={"color": OCHRE, "width": 1.6, "dash": "dot"},
    )
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", nticks=6)
    figure.update_traces(hovertemplate="Tenth %{x}: %{y:.1%}<extra>%{fullData.name}</extra>")
    return finish(figure, 320, "Tenth of users by forecast risk")


def points_and_baseline(
    names: Sequence[str],
    values: Sequence[tuple[float, float | None, float | None]],
    baselines: Sequence[float | None],
) -> str:
    """One row per metric: the model's value with its interval, and the baseline's as a ring."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(baselines),
        y=list(names),
        name="Baseline",
        mode="markers",
        marker={"symbol": "circle-open", "size": 11, "color": GREY, "line": {"width": 2}},
    )
    figure.add_scatter(
        x=[value for value, _, _ in values],
        y=list(names),
        name="Model",
        mode="markers",
        marker={"color": TEAL, "size": 10},
        error_x={
            "type": "data",
            "array": [0 if high is None else high - value for value, _, high in values],
            "arrayminus": [0 if low is None else value - low for value, low, _ in values],
            "color": TEAL,
            "thickness": 1.6,
            "width": 4,
        },
    )
    figure.update_xaxes(rangemode="tozero", nticks=6)
    # Places, not names: half a row of air above the first and below the last.
    figure.update_yaxes(type="category", range=[len(names) - 0.4, -0.6])
    figure.update_traces(hovertemplate="%{y}: %{x:.4f}<extra>%{fullData.name}</extra>")
    return finish(figure, bar_height(len(names)) + 40)


def flow(steps: Sequence[str], names: Sequence[str], moved: Sequence[Sequence[Sequence[float]]]) -> str:
    """Who went from where to where, step by step: a column of the names for each of the steps, from left to right.

    In: moved [steps - 1][names from][names to], how many went.
    """
    n = len(names)
    places = [(step, k) for step in range(len(steps)) for k in range(n)]
    links = [
        (step * n + i, (step + 1) * n + j, count)
        for step, matrix in enumerate(moved)
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if count > 0
    ]
    drawn = sorted({end for link in links for end in link[:2]})
    place_of = {node: place for place, node in enumerate(drawn)}
    colours = [STAGE_COLOURS[places[node][1] % len(STAGE_COLOURS)] for node in drawn]
    trace = go.Sankey(
        arrangement="snap",
        node={
            "label": [names[places[node][1]] if places[node][0] in (0, len(steps) - 1) else "" for node in drawn],
            "customdata": [f"{names[places[node][1]]}, {steps[places[node][0]]}" for node in drawn],
            "color": colours,
            "x": [min(max(places[node][0] / (len(steps) - 1), 0.001), 0.999) for node in drawn],
            "y": [min(max((places[node][1] + 0.5) / n, 0.001), 0.999) for node in drawn],
            "pad": 14,
            "thickness": 14,
            "line": {"width": 0},
            "hovertemplate": "%{customdata}: %{value:,.0f}<extra></extra>",
        },
        link={
            "source": [place_of[source] for source, _, _ in links],
            "target": [place_of[target] for _, target, _ in links],
            "value": [count for _, _, count in links],
            "color": RULE,
            "hovertemplate": "%{source.customdata} to %{target.customdata}: %{value:,.0f}<extra></extra>",
        },
    )
    return finish(go.Figure(trace), 380)
