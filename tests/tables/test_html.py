"""Lines and tables as HTML."""

from rich.table import Table
from rich.text import Text

from pipelines.tables import to_html

PARAGRAPH = '<p style="white-space:pre-wrap">'
TOP = 'vertical-align:top"'


def test_lines_are_paragraphs_that_empty_lines_part() -> None:
    lines = ["one", Text("  two", style="bold"), "", "", "three"]
    assert to_html(lines) == f"{PARAGRAPH}one\n  two</p>\n{PARAGRAPH}three</p>"


def test_a_table_keeps_its_sides_and_the_lines_of_its_cells() -> None:
    table = Table("name", title="of\nall")
    table.add_column("R@1", justify="right")
    table.add_row("overall", Text("1.5\n1.2-1.8", style="dim"))
    table.add_row("tail", "2")
    assert to_html(["above", table]) == (
        f'{PARAGRAPH}above</p>\n<table><caption style="text-align:left">of<br>all</caption>'
        f'<thead><tr><th style="text-align:left;{TOP}>name</th><th style="text-align:right;{TOP}>R@1</th></tr></thead>'
        f'<tbody><tr><td style="text-align:left;{TOP}>overall</td>'
        f'<td style="text-align:right;{TOP}>1.5<br>1.2-1.8</td></tr>'
        f'<tr><td style="text-align:left;{TOP}>tail</td><td style="text-align:right;{TOP}>2</td></tr></tbody></table>'
    )


def test_a_table_without_a_head() -> None:
    table = Table("", show_header=False)
    table.add_row("x")
    assert "<th" not in to_html([table])


def test_what_is_shown_is_escaped() -> None:
    table = Table("<b>", title="<i>")
    table.add_row('<script>alert("x")</script> & [b]')
    html = to_html(["</p><script>", Text("&"), table])
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; [b]" in html
