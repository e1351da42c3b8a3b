"""Build script: compiles the hot modules with mypyc where a C compiler is at hand.

The same sources run interpreted where it is not. ``HYPERCACHE_COMPILE`` decides:
``auto`` (the default) compiles when a compiler is found, ``1`` insists on it and
``0`` installs pure Python.
"""

import os
import shutil
import sys
import sysconfig
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext

# Everything on the path of a command, from the bytes to the reply. Modules with
# async functions, attrs classes or plain start-up work stay interpreted.
HOT_FOLDERS = (
    "hypercache/protocol",
    "hypercache/filters",
    "hypercache/keyspace",
    "hypercache/engine",
    "hypercache/engine/acl",
    "hypercache/commands",
    "hypercache/persistence",
    "hypercache/policies",
    "hypercache/rdb",
    "backends/hypercache_memory",
    "backends/hypercache_lmdb",
    "plugins/hypercache_aof",
    "plugins/hypercache_filters",
    "plugins/hypercache_snapshot",
)
HOT_FILES = (
    "hypercache/backend.py",
    "hypercache/backend_entries.py",
    "hypercache/values.py",
    "hypercache/listpack.py",
    "hypercache/streams.py",
    "hypercache/reply.py",
    "hypercache/transport/connection.py",
    "plugins/hypercache_scripting/cache.py",
    "plugins/hypercache_scripting/calls.py",
    "plugins/hypercache_scripting/conversion.py",
    "plugins/hypercache_scripting/evaluation.py",
    "plugins/hypercache_scripting/runtime.py",
    "plugins/hypercache_scripting/shared.py",
)
GROUP = "hypercache"
INTERPRETED_MARK = "# mypyc: interpreted"

# Passes of gcc that look through large functions for what their branches have in common. mypyc's
# code is calls and reference counts: they find nothing (measured), and take a third of the time.
FRUITLESS_PASSES = (
    "-fno-tree-pre",
    "-fno-gcse",
    "-fno-tree-vrp",
    "-fno-tree-vectorize",
    "-fno-tree-tail-merge",
    "-fno-crossjumping",
    "-fno-code-hoisting",
    "-fno-schedule-insns2",
)

# An installer calls this script for the package's metadata too, and mypyc would translate
# every module each time: that takes longer than all the rest of such a call.
METADATA_COMMANDS = ("egg_info", "dist_info")


def hot_modules() -> list[str]:
    """Source files to compile: the hot folders, less those that say they stay interpreted."""
    root = Path(__file__).parent
    files = [root / name for name in HOT_FILES]
    for folder in HOT_FOLDERS:
        files += sorted((root / folder).glob("*.py"))
    return [
        str(file.relative_to(root))
        for file in files
        if file.name != "__init__.py" and INTERPRETED_MARK not in file.read_text("utf-8")[:400]
    ]


def has_compiler() -> bool:
    """Whether a C compiler and the Python headers are there."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return any(shutil.which(name) for name in (compiler, "cc", "gcc", "clang")) and header.exists()


def extensions() -> list[Any]:
    """The mypyc extension modules of this build; empty for a pure Python one."""
    choice = os.environ.get("HYPERCACHE_COMPILE", "auto")
    if choice == "0" or (choice == "auto" and not has_compiler()):
        return []
    if not set(METADATA_COMMANDS).isdisjoint(sys.argv):
        return []
    os.environ.setdefault("MYPYPATH", os.pathsep.join(("backends", "plugins")))
    try:
        from mypyc.build import mypycify
    except ImportError:
        if choice == "1":
            raise
        sys.stderr.write("mypyc is not available: installing pure Python\n")
        return []
    modules = mypycify(
        hot_modules(),
        opt_level="2",
        debug_level="0",
        group_name=GROUP,
        multi_file=True,
    )
    for module in modules:
        module.extra_compile_args = [*module.extra_compile_args, *FRUITLESS_PASSES]
    return list(modules)


class ParallelBuild(build_ext):
    """Compiles the C files of an extension, and the extensions, on all processors at once."""

    def finalize_options(self) -> None:
        super().finalize_options()
        # One extension holds all the code; each module has a small one beside it.
        self.parallel = self.parallel or True

    def build_extensions(self) -> None:
        compile_some = self.compiler.compile

        def compile_all(sources: list[str], *args: object, **options: object) -> list[str]:
            if len(sources) > 1:
                self._precompile(Path(sources[0]).parent / f"__native_{GROUP}.h", options)
            with ThreadPool() as pool:
                parts = pool.map(lambda each: compile_some([each], *args, **options), sources)
            return [result for part in parts for result in part]

        self.compiler.compile = compile_all
        super().build_extensions()

    def _precompile(self, header: Path, options: dict[str, Any]) -> None:
        """Have gcc parse what every file of mypyc includes first once, not a second for each."""
        if "gcc" in Path(self.compiler.compiler_so[0]).name:
            searched = [*options["include_dirs"], *self.compiler.include_dirs]
            folders = [f"-I{each}" for each in searched]
            flags = [*folders, *options["extra_postargs"], "-x", "c-header"]
            self.compiler.spawn([*self.compiler.compiler_so, *flags, str(header)])


setup(ext_modules=extensions(), cmdclass={"build_ext": ParallelBuild})
