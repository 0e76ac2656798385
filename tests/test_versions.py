"""The oldest versions of libraries that mmts accepts are those that its tests run with."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_oldest_versions_are_those_that_were_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines if line)}
    wanted = project["dependencies"] + [each for group in project["optional-dependencies"].values() for each in group]
    named = [re.fullmatch(r"([\w-]+)>=([\d.]+)", each) for each in wanted if not each.startswith("mmts[")]
    assert len(named) > 20
    for each in named:
        assert each is not None
        assert f"{tested[each[1].lower()]}.".startswith(f"{each[2]}."), each[0]
