"""Prints requirements from pyproject.toml for pip: of the build, of a run, of extras."""

import sys
import tomllib
from pathlib import Path

settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
project = settings["project"]
sections = {
    "build": settings["build-system"]["requires"],
    "run": project["dependencies"],
    **project["optional-dependencies"],
}
print(*(word.replace(" ", "") for name in sys.argv[1:] for word in sections[name]))
