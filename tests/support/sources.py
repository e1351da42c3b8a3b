"""The project's sources as data: modules, what they import, their functions and comments."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Folders whose sub-folders, or which themselves, are importable packages.
PACKAGE_ROOTS = {"hypercache": ROOT, "backends": ROOT / "backends", "plugins": ROOT / "plugins"}
#: Projects of their own, as outsiders would have them.
EXAMPLES = [file.parent for file in sorted((ROOT / "docs" / "examples").glob("*/pyproject.toml"))]


@dataclass(frozen=True)
class Import:
    """A module, or a name in one, that another imports; ``types_only`` if TYPE_CHECKING."""

    line: int
    module: str
    types_only: bool


@dataclass(frozen=True)
class Source:
    """A Python file under its importable name (tests: ``tests.unit...``)."""

    module: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def place(self) -> str:
        """The path as people know it."""
        return str(self.path.relative_to(ROOT)) if self.path.is_absolute() else str(self.path)

    @property
    def length(self) -> int:
        """Lines of the file."""
        return self.text.count("\n")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """The whole tree, flat."""
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> list[Import]:
        """Everything that it imports, wherever in the file."""
        found: list[Import] = []
        guarded: set[int] = set()
        for node in self.nodes:
            if isinstance(node, ast.If) and _asks_for_types(node.test):
                guarded.update(id(each) for part in node.body for each in ast.walk(part))
        for node in self.nodes:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = list(self._imported_from(node))
            else:
                continue
            found += [Import(node.lineno, name, id(node) in guarded) for name in names]
        return found

    def _imported_from(self, node: ast.ImportFrom) -> Iterator[str]:
        """``from x import a, b``: x.a and x.b, modules or names in x."""
        base = node.module or ""
        if node.level:
            parts = self.module.split(".")
            keep = len(parts) - node.level + (self.path.name == "__init__.py")
            base = ".".join([*parts[:keep], *filter(None, [node.module])])
        for alias in node.names:
            yield f"{base}.{alias.name}"

    def functions(self) -> Iterator[tuple[str, int]]:
        """Every function's name and its number of lines, decorators and docstring left out."""
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                has_docstring = ast.get_docstring(node) is not None
                skipped = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
                yield node.name, (node.end_lineno or 0) - node.lineno + 1 - skipped

    def comments(self, about: re.Pattern[str]) -> Iterator[tuple[int, str]]:
        """The comments that a pattern is found in, each with its line."""
        if not about.search(self.text):
            return  # the tokenizer takes longer than all the rest
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT and about.search(token.string):
                yield token.start[0], token.string


def _asks_for_types(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING``, or that of a module."""
    name = getattr(test, "id", None) or getattr(test, "attr", None)
    return name == "TYPE_CHECKING"


def read(folder: Path, root: Path) -> Iterator[Source]:
    """The sources in a folder; ``root`` is what stands on the import path."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Source(module, path, path.read_text("utf-8"))


def all_sources() -> list[Source]:
    """The sources of the server, backends, plugins, examples, the tests and the build."""
    found: list[Source] = []
    for folder, root in PACKAGE_ROOTS.items():
        found += read(ROOT / folder, root)
    for project in EXAMPLES:
        found += read(project, project)
    found += read(ROOT / "tests", ROOT)
    found.append(Source("setup", ROOT / "setup.py", (ROOT / "setup.py").read_text("utf-8")))
    return found
