"""Libraries of functions: what FUNCTION LOAD registers and FCALL calls (Redis: functions.c).

A library is Lua source behind a line such as ``#!lua name=mylib``. It is run once, when it is
loaded, with nothing but ``redis.register_function`` and the log within its reach; its
functions share what they have in common as upvalues. Loading is all or nothing.

`Functions` holds all libraries of a server. What persistence needs of it are `sources` and
`restore`: the sources in a FUNCTION DUMP are the same that RDB and append-only files keep.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from hypercache.plugin import ErrorReply, split_words
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.errors import RdbError
from hypercache.rdb.primitives import Reader, Writer
from hypercache_scripting.library_loading import BAD_NAME, Function, Loader, is_name
from hypercache_scripting.runtime import VirtualMachine

#: What FUNCTION RESTORE does with the libraries that are there, and those of the same name.
APPEND: Final = b"append"
REPLACE: Final = b"replace"
FLUSH: Final = b"flush"

ENGINE: Final = b"LUA"

# FUNCTION DUMP: each library is behind this byte; version and checksum follow all of them.
_LIBRARY: Final = 245
_LIBRARY_OF_CANDIDATE: Final = 246
_VERSION: Final = 11
_FOOTER: Final = 10


class Library:
    """A loaded library: its source, and its functions by their names."""

    def __init__(self, name: bytes, source: bytes, functions: Iterable[Function]) -> None:
        self.name = name
        self.source = source
        self.functions = {each.name: each for each in functions}


class Libraries:
    """Libraries by name; no two have a function of the same name, in whatever case."""

    def __init__(self) -> None:
        self.by_name: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}

    def copy(self) -> "Libraries":
        """The same libraries, to be changed on their own."""
        copy = Libraries()
        copy.by_name = dict(self.by_name)
        copy.functions = dict(self.functions)
        return copy

    def add(self, library: Library) -> None:
        """Add a library of a new name; raises `ErrorReply` where a function's name is taken."""
        for name in library.functions:
            if name.lower() in self.functions:
                raise ErrorReply(f"ERR Function {name.decode()} already exists")
        self.by_name[library.name] = library
        for name, function in library.functions.items():
            self.functions[name.lower()] = function

    def remove(self, name: bytes) -> None:
        """Remove a library, if there is one of that name."""
        library = self.by_name.pop(name, None)
        if library is not None:
            for each in library.functions:
                del self.functions[each.lower()]


class Functions:
    """All libraries of a server, and the virtual machine that they share.

    ``start`` makes the machine when the first library is loaded. ``running`` is the call of the
    function that runs, as it came; empty when there is none.
    """

    def __init__(self, start: Callable[[], VirtualMachine]) -> None:
        self._start = start
        self._loader: Loader | None = None
        self.libraries = Libraries()
        self.running: list[bytes] = []

    @property
    def machine(self) -> VirtualMachine | None:
        """Where functions run; None before the first library was loaded."""
        return None if self._loader is None else self._loader.machine

    def find(self, name: bytes) -> Function | None:
        """The function of a name, in whatever case."""
        return self.libraries.functions.get(name.lower())

    def load(self, source: bytes, replace: bool = False) -> bytes:
        """Load a library and return its name; raises `ErrorReply`, and changes nothing then."""
        libraries = self.libraries.copy()
        name = self._load_into(libraries, source, replace)
        self.libraries = libraries
        return name

    def _load_into(self, libraries: Libraries, source: bytes, replace: bool) -> bytes:
        name, code = _described(source)
        if name in libraries.by_name:
            if not replace:
                raise ErrorReply(f"ERR Library '{name.decode()}' already exists")
            libraries.remove(name)
        if self._loader is None:
            self._loader = Loader(self._start())
        functions = self._loader.load(code)
        if not functions:
            raise ErrorReply("ERR No functions registered")
        libraries.add(Library(name, source, functions))
        return name

    def delete(self, name: bytes) -> bool:
        """Delete a library; whether there was one of that name."""
        if name not in self.libraries.by_name:
            return False
        self.libraries.remove(name)
        return True

    def flush(self) -> None:
        """Delete all libraries, and what they have left in the machine."""
        self.libraries = Libraries()
        if self._loader is not None:
            self._loader.forget()

    def memory(self) -> int:
        """Bytes that the libraries' sources take."""
        return sum(len(each.source) for each in self.libraries.by_name.values())

    def sources(self) -> list[bytes]:
        """The source of each library, as `load` and `restore` take it."""
        return [each.source for each in self.libraries.by_name.values()]

    def restore(self, sources: Iterable[bytes], policy: bytes = APPEND) -> None:
        """Load several libraries, beside those that are there or instead of them.

        All or none: raises `ErrorReply` and changes nothing where one of them cannot be loaded,
        or has a name that is taken (but for libraries that are replaced).
        """
        restored = Libraries()
        for source in sources:
            self._load_into(restored, source, False)
        if policy != FLUSH:
            merged = self.libraries.copy()
            for name in restored.by_name:
                if policy == REPLACE:
                    merged.remove(name)
                elif name in merged.by_name:
                    raise ErrorReply(f"ERR Library {name.decode()} already exists")
            for library in restored.by_name.values():
                merged.add(library)
            restored = merged
        self.libraries = restored


def _described(source: bytes) -> tuple[bytes, bytes]:
    """The name of a library and its code, which begins at the end of the source's first line.

    Raises `ErrorReply` where the first line does not describe a library of Lua.
    """
    # Redis reads the first line as a string of C.
    line, newline, _ = source.partition(b"\0")[0].partition(b"\n")
    if not line.startswith(b"#!"):
        raise ErrorReply("ERR Missing library metadata")
    words = split_words(line) if newline else None
    if not words:
        raise ErrorReply("ERR Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            text = word.decode("utf-8", "surrogateescape")
            raise ErrorReply(f"ERR Invalid metadata value given: {text}")
        if name is not None:
            raise ErrorReply("ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise ErrorReply("ERR Library name was not given")
    if not is_name(name):
        raise ErrorReply(f"ERR {BAD_NAME}")
    engine = words[0][2:]
    if engine.upper() != ENGINE:
        text = engine.decode("utf-8", "surrogateescape")
        raise ErrorReply(f"ERR Engine '{text}' not found")
    return name, source[len(line) :]


def dump(sources: Iterable[bytes]) -> bytes:
    """Sources of libraries as FUNCTION RESTORE takes them: with a version and a checksum."""
    writer = Writer()
    for source in sources:
        writer.out.append(_LIBRARY)
        writer.string(source)
    payload = writer.out.getvalue() + _VERSION.to_bytes(2, "little")
    return payload + crc64(payload).to_bytes(8, "little")


def undump(payload: bytes) -> Iterator[bytes]:
    """The sources of libraries that were dumped, by us or by Redis; raises `ErrorReply`."""
    footer = payload[-_FOOTER:]
    if (
        len(footer) < _FOOTER
        or int.from_bytes(footer[:2], "little") > _VERSION
        or crc64(payload[:-8]) != int.from_bytes(footer[2:], "little")
    ):
        raise ErrorReply("ERR DUMP payload version or checksum are wrong")
    return _undumped(Reader(payload[:-_FOOTER]))


def _undumped(reader: Reader) -> Iterator[bytes]:
    while reader.left():
        kind = reader.raw(1)[0]
        if kind == _LIBRARY_OF_CANDIDATE:
            raise ErrorReply("ERR Pre-GA function format not supported")
        if kind != _LIBRARY:
            raise ErrorReply("ERR given type is not a function")
        try:
            source = reader.string()
        except RdbError as error:
            raise ErrorReply("ERR Failed loading library payload") from error
        yield source
