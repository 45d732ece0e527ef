import html.parser
import re

import pytest

from pdenca.core import BadInputError
from pdenca.plots import Section, animate, render
from pdenca.plots.result_tables import result_tables

VOID = {"meta", "img", "link", "br", "hr"}


class Page(html.parser.HTMLParser):
    """Reads a page, keeps its resources, and notices tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.resources, self.alternatives, self.headings, self.tags = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        given = dict(attributes)
        self.resources += [
            given[name] for name in ("src", "href", "srcset", "data", "action") if name in given
        ]
        if tag == "img":
            self.alternatives.append(given.get("alt"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(text)


def row(model, window="1", value=0.1, low=0.09, high=0.12, split="test", regime="all", metric="pooled_vrmse"):
    return {
        "model": model,
        "split": split,
        "regime": regime,
        "metric": metric,
        "window": window,
        "value": value,
        "low": low,
        "high": high,
    }


SHOWN = ("errors", "symmetry")

ROWS = [
    row("NCA"),
    row("FNO", value=0.115, low=0.1, high=0.13),
    row("U-Net", value=0.5, low=0.4, high=0.6),
    row("NCA", "6:12", 0.2, 0.15, 0.25),
    row("FNO", "6:12", None, None, None),
    row("NCA", metric="correlation_time", value=30.0, low=None, high=None),
    row("FNO", metric="correlation_time", value=50.0, low=None, high=None),
    row("NCA", regime="maze"),
    row("NCA", split="ood_domain", value=0.3),
]


def cell(text, content):
    return re.search(rf"<td[^>]*>[^/]*{re.escape(content)}.*?</td>", text).group()


@pytest.fixture(scope="module")
def report(figures, run):
    picture = animate(run.reference, run.predictions["FNO"], run.times, field_name="B", scale=1)
    sections = [
        Section(f"Figure {name}", figure, f"Caption of {name}")
        for name, figure in figures.items()
        if name in SHOWN
    ]
    return render(
        "Gray-Scott",
        [*sections, Section("Words", text="First.\n\nSecond.")],
        summary="It works.",
        animation=picture,
        animation_caption="The film.",
        rows=ROWS,
        settings={"learning_rate": 0.003},
        command="pdenca evaluate --report page.html",
        environment={"torch": "2.13"},
        notes=["Gliders decay."],
        dpi=60,
    )


def test_the_page_is_well_formed_and_holds_every_section(report, figures):
    page = Page(report)
    assert page.open == []
    assert page.headings == [
        "Gray-Scott",
        "Results",
        "Animation",
        *(f"Figure {name}" for name in SHOWN),
        "Words",
        "Notes",
        "How to make it again",
    ]
    for words in (
        "It works.",
        "pdenca evaluate --report page.html",
        "Gliders decay.",
        "&quot;learning_rate&quot;: 0.003",
    ):
        assert words in report
    assert "<p>First.</p>\n<p>Second.</p>" in report


def test_the_page_loads_nothing_from_anywhere(report):
    page = Page(report)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert len(page.resources) == 3 + 7
    assert all(resource.startswith(("data:image/", "#section-")) for resource in page.resources)
    assert not re.search(r"url\(|@import", report)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", report).replace("http-equiv", "")
    targets = [resource[1:] for resource in page.resources if resource.startswith("#")]
    assert all(report.count(f'id="{target}"') == 1 for target in targets)


def test_every_picture_has_alternative_text(report, figures):
    alternatives = Page(report).alternatives
    assert alternatives == ["The film.", *(figures[name].get_label() for name in SHOWN)]


def test_hostile_text_stays_text():
    hostile = '</title><script>alert("x")</script>&amp;\''
    page = render(
        hostile,
        [Section(hostile, b"\x89PNG", hostile, hostile, hostile)],
        summary=hostile,
        animation=b"GIF89a",
        animation_caption=hostile,
        rows=[{key: hostile for key in row("a")} | {"value": 1.0, "low": None, "high": None}],
        metric_units={hostile: hostile},
        settings={hostile: hostile},
        command=hostile,
        environment={hostile: hostile},
        notes=[hostile],
    )
    assert "<script" not in page
    assert "alert(&quot;x&quot;)" in page
    assert Page(page).open == []
    assert page.count("&amp;amp;") > 10


def test_tables_are_pivoted_with_the_best_bold_and_null_named():
    text = result_tables(ROWS)
    assert cell(text, "0.100").startswith('<td class="best"><strong>0.100</strong>')
    assert "0.0900 to 0.120" in text
    assert cell(text, "0.115").startswith("<td>≈ 0.115")
    assert cell(text, "0.500").startswith("<td>0.500")
    assert '<td class="diverged">diverged</td>' in text
    assert '<td class="absent">–</td>' in text
    assert '<th scope="col">frames 6 to 12</th>' in text
    assert "<strong>50</strong>" in text
    assert "<strong>30</strong>" not in text
    assert text.count("<h3>") == 2
    assert "regime maze" in text
    assert text.index("Other metrics") < text.index("correlation_time on test")


def test_the_headline_can_be_chosen_and_a_metric_can_go_without_a_best():
    text = result_tables(ROWS, headline="correlation_time", no_best=["correlation_time"])
    assert (
        text.index("correlation_time on test")
        < text.index("Other metrics")
        < text.index("pooled_vrmse on test")
    )
    assert "<strong>50</strong>" not in text
    assert "No correlation_time on this split." in text


def test_rows_that_cannot_be_placed_are_refused():
    for rows, message in (
        ([{"model": "a"}], "lacks split"),
        ([row("a"), row("a")], "repeats"),
        ([row("a", value="much")], "expected a number"),
    ):
        with pytest.raises(BadInputError, match=message):
            result_tables(rows)
    with pytest.raises(BadInputError, match="headline 'loss'"):
        result_tables(ROWS, headline="loss")
    assert "No results" in result_tables([])
