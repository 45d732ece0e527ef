"""The bare page of a report: escaped text, its style sheet, and the frame around the content."""

import html
from collections.abc import Iterable, Mapping

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1f2328; --faint: #636c76; --rule: #d5dae0; --panel: #f5f7f9;
  --accent: #0072b2; --lost: #b04a00; --best: #e4f1f9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e4e7eb; --faint: #9aa4af; --rule: #343b43; --panel: #1d2126;
    --accent: #6db9e8; --lost: #f0995a; --best: #17364a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .6rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.8rem 0 .6rem; padding-top: .8rem;
     border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .3rem; }
p { margin: .5rem 0; max-width: 44rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.summary { font-size: 1.08rem; }
nav { margin: 1.2rem 0 0; font-size: .92rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 0; padding: 0; list-style: none; }
figure { margin: 1rem 0 1.6rem; }
figure img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--rule);
             border-radius: 6px; padding: .7rem; }
figure img.animation { width: auto; max-width: 100%; }
figcaption { margin-top: .5rem; color: var(--faint); font-size: .9rem; max-width: 44rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .4rem 0 1rem; font-size: .92rem;
        font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: .4rem; font-size: .9rem; }
th, td { padding: .38rem .8rem; text-align: right; vertical-align: top; white-space: nowrap; }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; }
tbody tr { border-bottom: 1px solid var(--rule); }
tbody th, thead th:first-child { text-align: left; font-weight: 500; padding-left: .4rem; }
td .interval { display: block; color: var(--faint); font-size: .8rem; }
td.best { background: var(--best); }
td.diverged { color: var(--lost); font-style: italic; }
td.absent { color: var(--faint); }
.facts th { color: var(--faint); font-weight: 400; }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
pre { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: .8rem 1rem;
      overflow-x: auto; font-size: .86rem; line-height: 1.45; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--accent); font-size: .95rem; }
.notes li { margin: .3rem 0; max-width: 44rem; }
@media print {
  body { max-width: none; padding: 0; }
  figure, table { break-inside: avoid; }
  nav { display: none; }
}
"""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def escape(text: object) -> str:
    """Write anything as HTML text that means only itself, inside an element or an attribute."""
    return html.escape(str(text), quote=True)


def anchor(index: int) -> str:
    """Name the place of the section with this number."""
    return f"section-{index}"


def section(index: int, title: str, content: str) -> str:
    """Wrap ready HTML into a numbered section with an escaped heading."""
    place = anchor(index)
    heading = f'<h2 id="{place}-title">{escape(title)}</h2>'
    return f'<section id="{place}" aria-labelledby="{place}-title">\n{heading}\n{content}\n</section>'


def paragraphs(text: str) -> str:
    """Escape a text; an empty line starts a new paragraph."""
    return "\n".join(f"<p>{escape(part.strip())}</p>" for part in text.split("\n\n") if part.strip())


def details(title: str, content: str) -> str:
    """Wrap ready HTML so that it opens on a click on its escaped title."""
    return f"<details>\n<summary>{escape(title)}</summary>\n{content}\n</details>"


def facts(values: Mapping[str, object]) -> str:
    """Lay out names and values as a two-column table, escaped."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in values.items()
    )
    return f'<div class="scroll"><table class="facts">\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def picture(source: str, alternative: str, caption: str, kind: str = "") -> str:
    """Place a picture given as data URI, with alternative text and an optional caption, both escaped."""
    attributes = f' class="{escape(kind)}"' if kind else ""
    below = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure>\n<img src="{escape(source)}" alt="{escape(alternative)}"{attributes}>{below}\n</figure>'


def page(title: str, summary: str, sections: Iterable[tuple[str, str]]) -> str:
    """Put the whole page together.

    Arguments:
        title: of the page; escaped here.
        summary: under the title; escaped here.
        sections: (title, ready HTML) in order; titles are escaped here.

    Returns:
        The HTML document. Its content policy forbids the browser to load anything from elsewhere.
    """
    listed = list(sections)
    links = "\n".join(
        f'<li><a href="#{anchor(index)}">{escape(name)}</a></li>'
        for index, (name, _) in enumerate(listed, start=1)
    )
    body = "\n".join(section(index, name, content) for index, (name, content) in enumerate(listed, start=1))
    lead = paragraphs(summary).replace("<p>", '<p class="summary">')
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{lead}
<nav aria-label="Contents">
<ul>
{links}
</ul>
</nav>
</header>
<main>
{body}
</main>
</body>
</html>
"""
