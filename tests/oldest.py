"""Print the oldest release of every requirement that pyproject.toml permits, as requirements for pip.

`make test-oldest` installs these and runs the tests: a lower bound with which nobody has run them is a guess.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

# NAME[EXTRA]>=OLDEST, and perhaps <NEWEST and a marker behind
_REQUIREMENT = re.compile(r"(?P<what>[\w.-]+(\[[\w,.-]+\])?) *>= *(?P<oldest>[\w.]+)(,[^;]*)?(?P<marker>;.*)?")


def oldest(pyproject: Path) -> list[str]:
    """One `NAME==VERSION` for each requirement of the package, of its extras and of its tests.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pyproject.toml")
    ...     text = '[project]\\nname = "x"\\ndependencies = ["numpy>=1.26,<3"]\\n[project.optional-dependencies]\\n'
    ...     _ = path.write_text(text + 'c = ["dask[a]>=2024.1"]\\nall = ["x[c]"]')
    ...     oldest(path)
    ['dask[a]==2024.1', 'numpy==1.26']
    """
    described = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project = described["project"]
    lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    lists.append(described.get("dependency-groups", {}).get("test", []))
    found = set()
    for requirement in {entry for entries in lists for entry in entries}:
        if requirement.startswith(f"{project['name']}["):  # an extra made of others
            continue
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None:
            raise ValueError(f"{pyproject}: a requirement must be NAME>=VERSION, got {requirement!r}")
        found.add(f"{match['what']}=={match['oldest']}{match['marker'] or ''}")
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write("\n".join(oldest(Path(sys.argv[1]))) + "\n")
