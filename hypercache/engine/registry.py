"""The commands of a server: looked up for every request, added and removed by plugins."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hypercache.engine.command import Command, Declaration
from hypercache.engine.grammar import GrammarError
from hypercache.engine.help import Help, container_declaration, help_declaration
from hypercache.reply import ErrorReply, Reply, printable

if TYPE_CHECKING:
    from hypercache.engine.context import Context

#: Spellings that are not all lower case, remembered so that they are looked up only once.
MAX_SPELLINGS: Final = 4096

# How much of an unknown command, and of its arguments, an error repeats.
_SHOWN: Final = 128


class Registry:
    """The commands by name, sub-commands inside their containers."""

    def __init__(self) -> None:
        self._commands: dict[bytes, Command] = {}
        # The same by the names that they were declared with: rename-command is not for these.
        self._originals: dict[bytes, Command] = {}
        # The number of every name that ever was, so that a command keeps its own.
        self._numbers: dict[bytes, int] = {}
        # What `find` consults: the names and the other spellings seen so far.
        self._spellings: dict[bytes, Command] = {}

    def find(self, args: list[bytes]) -> Command:
        """The command that a request calls, its number of arguments checked.

        Raises `ErrorReply` in Redis' words for an unknown command or sub-command and for
        a wrong number of arguments, which counts as a rejected call.
        """
        command = self._spellings.get(args[0])
        if command is None:
            command = self._respell(args)
        if command.subcommands is not None and len(args) > 1:
            command = self._descend(command, command.subcommands, args)
        count = len(args)
        if count < command.minimum or (command.maximum >= 0 and count > command.maximum):
            command.rejected_calls += 1
            name = printable(command.name)
            raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")
        return command

    def get(self, fullname: bytes) -> Command | None:
        """The command of a full name in any case (``get``, ``config|get``), or None."""
        return _named(self._commands, fullname)

    def original(self, fullname: bytes) -> Command | None:
        """Like `get`, by the name that a command was declared with."""
        return _named(self._originals, fullname)

    def originals(self) -> Iterator[Command]:
        """All commands and sub-commands, those included that rename-command has taken away."""
        for command in self._originals.values():
            yield command
            if command.subcommands is not None:
                yield from command.subcommands.values()

    def numbered(self) -> int:
        """How many names there have been: every `Command.number` is less."""
        return len(self._numbers)

    def resolve(self, args: list[bytes]) -> Command | None:
        """The command that an argument list calls, whatever its length; None if unknown."""
        command = self._commands.get(args[0].lower())
        if command is None or command.subcommands is None or len(args) == 1:
            return command
        return command.subcommands.get(args[1].lower())

    def __len__(self) -> int:
        return len(self._commands)

    def commands(self) -> list[Command]:
        """All commands, containers without their sub-commands."""
        return list(self._commands.values())

    def every(self) -> Iterator[Command]:
        """All commands and sub-commands."""
        for command in self._commands.values():
            yield command
            if command.subcommands is not None:
                yield from command.subcommands.values()

    def add(self, declarations: list[Declaration], module: str = "") -> None:
        """Add the declared commands; ``module`` names the plugin that contributes them.

        Raises `GrammarError` for a name that is taken, or a sub-command of a command that
        takes none; nothing is added then.
        """
        for declaration in declarations:
            objection = self._objection(declaration, declarations)
            if objection:
                raise GrammarError(f"command {declaration.title()!r}: {objection}")
        containers: dict[str, list[Declaration]] = {}
        for declaration in declarations:
            if len(declaration.words) == 2:
                containers.setdefault(declaration.words[0], []).append(declaration)
            else:
                self._put(Command(declaration, module))
        for members in containers.values():
            self._add_container(members, module)
        self._forget_spellings()

    def remove(self, module: str) -> None:
        """Remove every command that a plugin contributed; transactions may still hold some."""
        for name, command in list(self._commands.items()):
            if command.subcommands is not None:
                for word, each in list(command.subcommands.items()):
                    if each.module == module:
                        del command.subcommands[word]
                        each.function = _removed
            if command.module == module:
                del self._commands[name]
                self._originals.pop(command.name, None)
                command.function = _removed
        self._forget_spellings()

    def rename(self, name: bytes, new_name: bytes) -> None:
        """Give a command another name, or none at all with ``b""`` (rename-command).

        The command keeps its own name in COMMAND and in errors, as Redis does. Raises
        KeyError for an unknown name and ValueError for a new one that is taken.
        """
        old = name.lower()
        new = new_name.lower()
        if old not in self._commands:
            raise KeyError(name)
        if new in self._commands:
            raise ValueError(f"the name {printable(new_name)!r} is taken")
        command = self._commands.pop(old)
        if new:
            self._commands[new] = command
        self._forget_spellings()

    def reset_statistics(self) -> None:
        """Forget the calls of every command (CONFIG RESETSTAT)."""
        for command in self.every():
            command.reset_statistics()

    def _respell(self, args: list[bytes]) -> Command:
        """The command of a name that is not known in this spelling."""
        command = self._commands.get(args[0].lower())
        if command is None:
            raise ErrorReply(unknown_command(args))
        if len(self._spellings) < MAX_SPELLINGS:
            self._spellings[args[0]] = command
        return command

    def _descend(
        self, container: Command, subcommands: dict[bytes, Command], args: list[bytes]
    ) -> Command:
        """The sub-command that a request calls."""
        command = subcommands.get(args[1])
        if command is None:
            command = subcommands.get(args[1].lower())
        if command is None:
            raise ErrorReply(unknown_subcommand(args))
        return command

    def _objection(self, declaration: Declaration, batch: list[Declaration]) -> str:
        """What speaks against adding a command together with its batch; empty if nothing."""
        words = declaration.words
        if len([each for each in batch if each.words == words]) > 1 or words[1:] == ["help"]:
            return "the name is taken"
        existing = self._commands.get(words[0].encode())
        if len(words) == 1:
            return "the name is taken" if existing is not None else ""
        if existing is not None:
            if existing.subcommands is None:
                return "its container is a command without sub-commands"
            return "the name is taken" if words[1].encode() in existing.subcommands else ""
        for each in batch:
            if each.words == words[:1] and each.arity > 0:
                return f"its container has arity {each.arity}, which leaves no sub-commands"
        return ""

    def _put(self, command: Command) -> None:
        self._commands[command.name] = command
        self._originals[command.name] = command
        self._number(command)

    def _number(self, command: Command) -> None:
        command.number = self._numbers.setdefault(command.name, len(self._numbers))

    def _add_container(self, members: list[Declaration], module: str) -> None:
        """Add sub-commands to their container, which is made if nobody declared it."""
        name = members[0].words[0].encode()
        helper = Help()
        container = self._commands.get(name)
        if container is None:
            container = Command(container_declaration(members, helper.run), module)
            self._put(container)
        if container.subcommands is None:
            container.subcommands = {}
            helper.container = container
            declaration = help_declaration(container.declaration, helper.run)
            self._attach(container, Command(declaration, module))
        for member in members:
            self._attach(container, Command(member, module))

    def _attach(self, container: Command, command: Command) -> None:
        assert container.subcommands is not None
        command.parent = container
        container.subcommands[command.word] = command
        self._number(command)

    def _forget_spellings(self) -> None:
        """Start again from the names and their upper-case spellings, which clients send most."""
        self._spellings.clear()
        for name, command in self._commands.items():
            self._spellings[name] = command
            self._spellings[name.upper()] = command


def _named(commands: dict[bytes, Command], fullname: bytes) -> Command | None:
    """The command of a full name in any case."""
    words = fullname.lower().split(b"|")
    command = commands.get(words[0])
    if len(words) == 1 or command is None:
        return command
    if len(words) > 2 or command.subcommands is None:
        return None
    return command.subcommands.get(words[1])


def unknown_command(args: list[bytes]) -> str:
    """What Redis answers to a name that it does not know, with the first arguments."""
    shown = b""
    for arg in args[1:]:
        if len(shown) >= _SHOWN:
            break
        shown += b"'" + _cut(arg, _SHOWN - len(shown)) + b"' "
    name = _cut(args[0], _SHOWN)
    return _one_line(b"ERR unknown command '" + name + b"', with args beginning with: " + shown)


def unknown_subcommand(args: list[bytes]) -> str:
    """What Redis answers to a word that is no sub-command of a container."""
    word = _cut(args[1], _SHOWN)
    return _one_line(b"ERR unknown subcommand '" + word + b"'. Try " + args[0].upper() + b" HELP.")


def _removed(context: "Context", args: list[bytes]) -> Reply:
    """Stands in for a command that went while it was queued."""
    raise ErrorReply(unknown_command(args))


def _cut(data: bytes, length: int) -> bytes:
    """The beginning of a word, which ends at a zero byte as a C string does."""
    return data.partition(b"\0")[0][:length]


def _one_line(data: bytes) -> str:
    """The text of an error: line breaks would end it early on the wire."""
    return printable(data.replace(b"\r", b" ").replace(b"\n", b" "))
