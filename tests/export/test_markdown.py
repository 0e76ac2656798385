"""No name, setting or prompt becomes code or markup in a model card."""

import ast
import re

import pytest
from markdown_it import MarkdownIt

from pipelines.export.markdown import code_span, markdown, python_string, table

HOSTILE = [
    'a"); print("owned"); ("',
    "x\n\n# Owned\n",
    "[click](https://evil.example)",
    "<script>alert(1)</script> &lt;b&gt;",
    "**bold** _it_ `code` ~~gone~~ $x$ ![i](j)",
    "a | b | c",
    "https://evil.example www.evil.example",
    "\\` \\| \\<b>",
    "\x1b[31mred\x1b[0m \u202eright to left",
    "```\nimport os\n```",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is(text) -> None:
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    parser = MarkdownIt("gfm-like", {"linkify": False}).enable("table")
    (_, inline, _) = parser.parse(f"# {markdown(text)}")
    assert [child.type for child in inline.children] == ["text"] * len(inline.children)
    assert "".join(child.content for child in inline.children) == shown
    tokens = [token for token in parser.parse(table(("a", "b"), [(text, "1")])) if token.type == "inline"]
    assert [len(tokens), tokens[3].content] == [4, "1"]
    assert "".join(child.content for child in tokens[2].children) == shown
    (span,) = parser.parseInline(code_span(text))[0].children
    assert (span.type, span.content.strip()) == ("code_inline", shown.replace("`", "'").strip())
    assert not re.search(r"(?<!\\)(://|www\.)", markdown(text).replace(":\\//", ""))


@pytest.mark.parametrize("text", [*HOSTILE, "é \udc80 \N{SNOWMAN}", ""])
def test_a_string_is_a_literal_of_one_line(text) -> None:
    literal = python_string(text)
    assert literal.isascii()
    assert literal.isprintable()
    assert ast.literal_eval(literal) == text
