"""The scripts that EVAL and SCRIPT LOAD have brought, compiled, by the SHA-1 of their text."""

from collections import OrderedDict
from typing import Final

from hypercache.engine.scripts import COMPATIBLE, FLAGS
from hypercache.plugin import ErrorReply
from hypercache_scripting.calls import sha1hex
from hypercache_scripting.runtime import CompileError, VirtualMachine

#: How errors call the text of a script.
USER_SCRIPT: Final = b"@user_script"

# Bytes that a cached script takes in Python beside its text.
_OVERHEAD: Final = 400
# What Lua takes for each byte of a script's text while it compiles, at worst.
_COMPILED: Final = 8


class CachedScript:
    """A compiled script. ``flags`` are those of `hypercache.engine.scripts`.

    ``loaded``: SCRIPT LOAD has brought it, so clients count on it.
    """

    __slots__ = ("body", "flags", "function", "loaded", "sha")

    def __init__(self, sha: str, body: bytes, flags: int, function: object) -> None:
        self.sha = sha
        self.body = body
        self.flags = flags
        self.function = function
        self.loaded = False


class ScriptCache:
    """Scripts by their SHA-1 in lower case, least recently used first.

    Of those that only EVAL has brought, ``most`` are kept; the others go when they have not
    been used for longest. Those of SCRIPT LOAD stay until SCRIPT FLUSH.
    """

    def __init__(self, vm: VirtualMachine, most: int) -> None:
        self.vm = vm
        vm.extend()
        self.most = most
        self._scripts: dict[bytes, CachedScript] = {}
        self._texts: dict[bytes, CachedScript] = {}
        self._passing: OrderedDict[bytes, None] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._scripts)

    def memory(self) -> int:
        """Bytes that the texts take, with what belongs to them."""
        return self._bytes

    def get(self, sha: bytes) -> CachedScript | None:
        """The script of a digest, in any case."""
        script = self._scripts.get(sha)
        if script is None:
            sha = sha.lower()
            script = self._scripts.get(sha)
        if script is not None and not script.loaded:
            self._passing.move_to_end(sha)
        return script

    def evaluated(self, body: bytes) -> CachedScript:
        """The script of a text, compiled now unless it is known; raises `ErrorReply`."""
        script = self._texts.get(body)
        if script is None:
            sha = sha1hex(body)
            script = self._add(sha, body)
            self._passing[sha] = None
            if len(self._passing) > self.most:
                self._drop(self._passing.popitem(last=False)[0])
        elif not script.loaded:
            self._passing.move_to_end(script.sha.encode())
        return script

    def load(self, body: bytes) -> bytes:
        """Keep a script (SCRIPT LOAD); its digest. Raises `ErrorReply`."""
        sha = sha1hex(body)
        script = self._scripts.get(sha) or self._add(sha, body)
        script.loaded = True
        self._passing.pop(sha, None)
        return sha

    def flush(self) -> None:
        """Forget all scripts."""
        self._scripts.clear()
        self._texts.clear()
        self._passing.clear()
        self._bytes = 0
        self.vm.collect()

    def flags_of(self, body: bytes) -> int:
        """What a text declares; as one that declares nothing where that is wrong."""
        script = self._texts.get(body)
        if script is not None:
            return script.flags
        try:
            return shebang(body)[0]
        except ErrorReply:
            return COMPATIBLE

    def _add(self, sha: bytes, body: bytes) -> CachedScript:
        flags, length = shebang(body)
        if not self.vm.has_room(len(body) * _COMPILED):
            while self._passing:
                self._drop(self._passing.popitem(last=False)[0])
        try:
            function = self.vm.compile(body[length:], USER_SCRIPT)
        except CompileError as error:
            raise ErrorReply(f"ERR Error compiling script (new function): {error}") from error
        script = CachedScript(sha.decode(), body, flags, function)
        self._scripts[sha] = script
        self._texts[body] = script
        self._bytes += len(body) + _OVERHEAD
        return script

    def _drop(self, sha: bytes) -> None:
        script = self._scripts.pop(sha)
        del self._texts[script.body]
        self._bytes -= len(script.body) + _OVERHEAD


def shebang(body: bytes) -> tuple[int, int]:
    """The flags that the first line declares, and its length; raises `ErrorReply`.

    Without ``#!`` a script is one from before Redis 7: `COMPATIBLE`.
    """
    if not body.startswith(b"#!"):
        return COMPATIBLE, 0
    line, newline, _ = body.partition(b"\n")
    if not newline:
        raise ErrorReply("ERR Invalid script shebang")
    words = line.split()
    if words[0] != b"#!lua":
        raise ErrorReply(f"ERR Unexpected engine in script shebang: {_shown(words[0])}")
    flags = 0
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise ErrorReply(f"ERR Unknown lua shebang option: {_shown(word)}")
        names = word.removeprefix(b"flags=")
        for name in names.split(b",") if names else []:
            if name not in FLAGS:
                raise ErrorReply(f"ERR Unexpected flag in script shebang: {_shown(name)}")
            flags |= FLAGS[name]
    return flags, len(line)


def _shown(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")
