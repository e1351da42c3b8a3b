"""Prints the requirements of one of pyproject.toml's extras, for pip."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
print(*(word.replace(" ", "") for word in project["optional-dependencies"][sys.argv[1]]))
