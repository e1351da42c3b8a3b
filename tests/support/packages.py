"""Packages of backends and plugins in folders on the import path."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BACKENDS = "hypercache.backends"
PLUGINS = "hypercache.plugins"


def distribution(folder: Path, name: str, group: str, *points: str, version: str = "1.0") -> None:
    """The metadata of an installed distribution, with entry points ``name = module:Class``."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *points, ""]))


def install_projects(projects: Sequence[Path], scratch: Path) -> Path:
    """Build and install projects as their users would, into a folder; nobody goes online for it.

    Returns the folder, to be put on PYTHONPATH. What they depend on is there already.
    """
    copies = [shutil.copytree(project, scratch / project.name) for project in projects]
    site = scratch / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*command, *map(str, copies)], check=True, timeout=100)
    return site
