"""What is a page made of? Sections of charts, grids and cards that the templates lay out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    heat is the strength of its background from 0 to 1, None for none; kind a word for its style.
    """

    text: str
    heat: float | None = None
    kind: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: the first `n_labels` columns are words, the others numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    n_labels: int = 1


@dataclass(frozen=True)
class Chart:
    """A picture with what it shows in words, how to read it, and its numbers.

    chart_id begins with ``chart-`` and is part of the page's promise. figure is Plotly's JSON.
    is_open: the numbers show from the start, else when asked for.
    """

    chart_id: str
    title: str
    shows: str
    how_to_read: str
    figure: str
    height: int
    numbers: Grid
    is_open: bool = False


@dataclass(frozen=True)
class Tile:
    """One headline figure."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Item:
    """One product of a list."""

    place: int
    title: str
    product_id: str
    is_hit: bool


@dataclass(frozen=True)
class ItemList:
    """A user's history, or what one model recommends."""

    name: str
    is_history: bool
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Card:
    """One segment or one example user."""

    title: str
    note: str
    grid: Grid | None = None
    lists: tuple[ItemList, ...] = ()


@dataclass(frozen=True)
class Section:
    """One part of the page; missing says what is not there and why, where something is not."""

    section_id: str
    title: str
    intro: str
    missing: tuple[str, ...] = ()
    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()
    cards: tuple[Card, ...] = ()
    grids: tuple[Grid, ...] = ()
    is_card_row: bool = False


def text_row(*texts: str) -> tuple[Cell, ...]:
    """A row of plain cells."""
    return tuple(Cell(text) for text in texts)
