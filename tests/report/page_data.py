"""What the page's scripts draw."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any


def data_of(path: Path) -> dict[str, Any]:
    """The data inside a page."""
    packed = re.search(r'id="data">([^<]*)<', path.read_text())
    assert packed is not None
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed[1]), wbits=31))
    return found
