"""Ends with 0 when C extensions can be compiled for this Python, with 1 when not."""

import shutil
import sys
import sysconfig
from pathlib import Path

header = Path(sysconfig.get_path("include")) / "Python.h"
found = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
sys.exit(0 if found and header.exists() else 1)
