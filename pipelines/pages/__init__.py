"""What web pages share: their style, the switch between light and dark, and how texts are escaped."""

from pathlib import Path

import jinja2
from markupsafe import Markup

_SHARED = Path(__file__).parent


def environment(templates: Path) -> jinja2.Environment:
    """Templates of a folder, in which texts are escaped, and a name that isn't there is an error."""
    loader = jinja2.FileSystemLoader(templates)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)


def style() -> Markup:
    """The style sheet of all pages."""
    return Markup((_SHARED / "page.css").read_text(encoding="utf-8"))


def theme_script() -> Markup:
    """The script of light and dark; ``startTheme()`` starts it, and needs a button whose id is ``theme``."""
    return Markup((_SHARED / "theme.js").read_text(encoding="utf-8"))
