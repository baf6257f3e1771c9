"""How do the charts look? The few forms that the page uses, drawn with Plotly."""

from collections.abc import Sequence
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
