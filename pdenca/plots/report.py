"""One page that holds everything about a run: results, figures, settings, the command that makes it again."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from .animation import data_uri
from .arrays import Number
from .page import details, escape, facts, page, paragraphs, picture
from .result_tables import HIGHER_IS_BETTER, NO_BEST, result_tables
from .saving import to_bytes

_HOW_TO_READ = (
    "Each cell holds the value and, below it, its bootstrap interval. Bold: best of its column. ≈: not the "
    "best, but its interval overlaps the best's. Diverged: the prediction became infinite or not a number. "
    "–: not evaluated."
)


@dataclass(frozen=True)
class Section:
    """One part of a report with at most one figure.

    Attributes:
        title: heading.
        figure: a matplotlib figure, or a ready picture (PNG, SVG, GIF, WebP); None for text alone.
        caption: below the figure; what to see in it.
        text: above the figure; an empty line starts a new paragraph.
        alternative: the figure in words, for those who cannot see it; empty takes the figure's own label (all
            figures of this package have one) or else the caption.
    """

    title: str
    figure: Figure | bytes | None = None
    caption: str = ""
    text: str = ""
    alternative: str = ""


def render(
    title: str,
    sections: Sequence[Section] = (),
    *,
    summary: str = "",
    animation: bytes | None = None,
    animation_caption: str = "",
    rows: Sequence[Mapping[str, Any]] = (),
    headline: str | None = None,
    higher_is_better: Collection[str] = HIGHER_IS_BETTER,
    no_best: Collection[str] = NO_BEST,
    metric_units: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    command: str = "",
    environment: Mapping[str, object] | None = None,
    notes: Sequence[str] = (),
    dpi: Number = 200,
) -> str:
    """Write the report: one HTML page that needs no other file and loads nothing from anywhere.

    Arguments:
        title: of the page.
        sections: figures with their words, in order.
        summary: what was found, in a few sentences under the title.
        animation: an animated picture, as :func:`animate` returns it.
        animation_caption: below it; also its alternative text.
        rows: the results, mappings with the keys model, split, regime, metric, window, value, low, high.
        headline: the metric whose tables stand open; None takes that of the first row.
        higher_is_better: metrics whose best value is the largest.
        no_best: metrics that have no best value.
        metric_units: metric -> unit, for the captions of the tables.
        settings: everything that shaped the run, shown as JSON.
        command: what to type to make the page again.
        environment: versions, device, times: name -> value.
        notes: what the reader must bear in mind, one point each.
        dpi: dots per inch of pictures inside the figures.

    Returns:
        The page, to be written as UTF-8. Every given text is escaped. Figures become SVG pictures inside the
        page, always on white, so that they read the same in a dark browser.

    Raises:
        BadInputError: for rows that lack a key or repeat a place, or a picture in an unknown format.
    """
    parts: list[tuple[str, str]] = []
    if rows:
        tables = result_tables(
            rows,
            headline=headline,
            higher_is_better=higher_is_better,
            no_best=no_best,
            table_units=metric_units,
        )
        parts.append(("Results", f"{paragraphs(_HOW_TO_READ)}\n{tables}"))
    if animation is not None:
        alternative = animation_caption or "Reference and prediction side by side, animated over time."
        parts.append(("Animation", picture(data_uri(animation), alternative, animation_caption, "animation")))
    parts.extend((part.title, _content(part, dpi)) for part in sections)
    if notes:
        points = "\n".join(f"<li>{escape(note)}</li>" for note in notes)
        parts.append(("Notes", f'<ul class="notes">\n{points}\n</ul>'))
    again = []
    if command:
        again.append(f"<p>This page is made by</p>\n<pre><code>{escape(command)}</code></pre>")
    if environment:
        again.append(facts(environment))
    if settings:
        written = json.dumps(settings, indent=2, ensure_ascii=False, default=str)
        again.append(details("All settings", f"<pre><code>{escape(written)}</code></pre>"))
    if again:
        parts.append(("How to make it again", "\n".join(again)))
    return page(title, summary, parts)


def _content(part: Section, dpi: Number) -> str:
    text = paragraphs(part.text)
    if part.figure is None:
        return text
    if isinstance(part.figure, Figure):
        label = str(part.figure.get_label())
        content = to_bytes(part.figure, "svg", dpi)
    else:
        label = ""
        content = part.figure
    alternative = part.alternative or label or part.caption or part.title
    return f"{text}\n{picture(data_uri(content), alternative, part.caption)}".strip()
