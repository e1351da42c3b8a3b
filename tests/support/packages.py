"""Packages of backends and plugins, as pip would leave them in a folder on the import path."""

import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

BACKENDS = "hypercache.backends"
PLUGINS = "hypercache.plugins"


def distribution(folder: Path, name: str, group: str, *points: str, version: str = "1.0") -> None:
    """An installed distribution's metadata, with entry points such as ``name = module:Class``."""
    _write_metadata(folder, name, version, {group: points})


def install_project(project: Path, folder: Path) -> None:
    """Install a project that lists its modules (``py-modules``), without going online for it.

    Its metadata are those of its pyproject.toml, which is all that a build would read.
    """
    data = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for module in data["tool"]["setuptools"]["py-modules"]:
        shutil.copy(project / f"{module}.py", folder)
    groups = {
        group: [f"{name} = {place}" for name, place in points.items()]
        for group, points in data["project"]["entry-points"].items()
    }
    _write_metadata(folder, data["project"]["name"], data["project"]["version"], groups)


def _write_metadata(
    folder: Path, name: str, version: str, groups: Mapping[str, Sequence[str]]
) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(
        "".join(f"[{group}]\n" + "\n".join(points) + "\n" for group, points in groups.items())
    )
