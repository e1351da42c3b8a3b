"""The users of a server: logging in, asking for permission, and what changes of users entail."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.acl.log import AclLog, LogEntry
from hypercache.engine.acl.rules import RuleError, Rules, UnmatchedParenthesis, merge_selectors
from hypercache.engine.acl.selectors import CHANNEL, KEY, Pattern, is_among
from hypercache.engine.acl.users import Refusal, User, check
from hypercache.engine.command import Command
from hypercache.engine.description import describe_client
from hypercache.reply import ErrorReply, quotable

if TYPE_CHECKING:
    from hypercache.config import Configuration
    from hypercache.engine.acl.file import Store
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine
    from hypercache.engine.session import Session

DEFAULT: Final = b"default"
WRONG_PASSWORD: Final = "WRONGPASS invalid username-password pair or user is disabled."

# Where a call came from, as ACL LOG names it.
TOP_LEVEL: Final = "toplevel"
MULTI: Final = "multi"
LUA: Final = "lua"


class AccessControl:
    """All users by name, and what they were refused.

    ``default`` is who every client is until it logs in; it is always there, and always the
    same object.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.rules = Rules(engine.registry)
        self.log = AclLog()
        self.default = self.new_default()
        self.users: dict[bytes, User] = {DEFAULT: self.default}
        # The file of ACL LOAD and SAVE, if there is one.
        self.store: Store | None = None

    def new_default(self) -> User:
        """The default user as it is without any configuration: it may do everything."""
        user = self.rules.new_user(DEFAULT)
        self.rules.apply(user, [b"+@all", b"~*", b"&*", b"on", b"nopass"])
        return user

    def names(self) -> list[bytes]:
        """The names of all users in order."""
        return sorted(self.users)

    # Clients -----------------------------------------------------------------------------

    def needs_login(self) -> bool:
        """Whether clients have to log in before anything else."""
        return not (self.default.needs_no_password and self.default.enabled)

    def greet(self, context: "Context") -> None:
        """A client has come, or wants to be as good as new: nobody has logged in."""
        context.set_user(self.default, not self.needs_login())

    def log_in(self, context: "Context", name: bytes, password: bytes, verb: bytes) -> None:
        """Let a client be a user from now on, or raise WRONGPASS; ``verb`` is AUTH or HELLO."""
        user = self.users.get(name)
        # An unknown name takes as long as a wrong password.
        if not (user or self.default).accepts(password) or user is None:
            self.engine.counters.denied_logins += 1
            where = MULTI if context.queue is not None else TOP_LEVEL
            self._note(context, "auth", where, verb, name)
            raise ErrorReply(WRONG_PASSWORD)
        context.set_user(user, True)

    def admit(self, context: "Context", command: Command, args: list[bytes]) -> None:
        """Raise NOPERM unless a client's user may make a call."""
        where = TOP_LEVEL if context.queue is None else MULTI
        refusal = self.refusal(context, command, args, where)
        if refusal is not None:
            raise ErrorReply(f"NOPERM {refusal.text()}")

    def refusal(
        self, context: "Context", command: Command, args: list[bytes], where: str
    ) -> Refusal | None:
        """What forbids a client's user a call, which is logged and counted then."""
        refusal = check(context.user, command, args)
        if refusal is None:
            return None
        counters = self.engine.counters
        reason = "command"
        if refusal.kind == KEY:
            reason = "key"
            counters.denied_keys += 1
        elif refusal.kind == CHANNEL:
            reason = "channel"
            counters.denied_channels += 1
        else:
            counters.denied_commands += 1
        self._note(context, reason, where, refusal.subject, context.user.name)
        return refusal

    def _note(
        self, context: "Context", reason: str, where: str, subject: bytes, user: bytes
    ) -> None:
        client = describe_client(self.engine.serving or context, [])
        now: i64 = self.engine.time // 1000
        self.log.add(LogEntry(reason, where, subject, user, client, now))

    # Users -------------------------------------------------------------------------------

    def set_user(self, name: bytes, words: list[bytes]) -> None:
        """ACL SETUSER: make or change a user as all rules say; raises and changes nothing else."""
        user = self.users.get(name)
        changed = self.rules.new_user(name)
        if user is not None:
            changed.take_over(user)
        try:
            rules = merge_selectors(words)
        except UnmatchedParenthesis as error:
            raise ErrorReply(
                f"ERR Unmatched parenthesis in acl selector starting at '{quotable(error.start)}'."
            ) from None
        for rule in rules:
            try:
                self.rules.change_user(changed, rule)
            except RuleError as mistake:
                raise ErrorReply(
                    f"ERR Error in ACL SETUSER modifier '{quotable(rule)}': {mistake.text}"
                ) from None
        if user is None:
            changed.settle()
            self.users[name] = changed
        else:
            self.revoke_channels(user, changed)
            user.take_over(changed)
            self.rearm()

    def revoke_channels(self, user: User, changed: User) -> None:
        """Close the connections that listen to what their user may not listen to any more."""
        allowed: list[Pattern] = []
        for selector in changed.selectors:
            if selector.all_channels:
                return
            allowed += selector.channels
        for session in list(self.engine.sessions.values()):
            subscriptions = session.subscriptions
            if session.user is not user or subscriptions is None:
                continue
            names = [*subscriptions.channels, *subscriptions.shard_channels]
            if not (
                all(is_among(allowed, each, True) for each in subscriptions.patterns)
                and all(is_among(allowed, each, False) for each in names)
            ):
                self.close(session)

    def close(self, session: "Session") -> None:
        """Close a connection; that of the client served now once it has its reply."""
        if session is self.engine.serving:
            session.closing = True
        else:
            self.engine.delivery.kill(session)

    def delete_user(self, name: bytes) -> bool:
        """ACL DELUSER: remove a user and cut off its clients; False if there is none."""
        user = self.users.pop(name, None)
        if user is None:
            return False
        self.cut_off(user)
        return True

    def replace_users(self, users: dict[bytes, User]) -> None:
        """ACL LOAD: have these users and no others; only clients of the default user stay.

        A default user that is not among them is as without any configuration.
        """
        old = self.users
        self.default.take_over(users.get(DEFAULT) or self.new_default())
        self.users = {**users, DEFAULT: self.default}
        for user in old.values():
            if user is not self.default:
                self.cut_off(user)
        self.rearm()

    def cut_off(self, user: User) -> None:
        """Close the connections of a user that is no more; the client now served gets its reply."""
        for session in list(self.engine.sessions.values()):
            if session.user is not user:
                continue
            session.set_user(self.default, False)
            self.close(session)

    def follow(self, configuration: "Configuration") -> None:
        """Do as the settings say, now and whenever they change."""
        settings = configuration.settings

        def limits() -> None:
            self.rules.all_channels = settings.acl_pubsub_default == "allchannels"
            self.log.limit = settings.acllog_max_len

        def password() -> None:
            self.set_password(settings.requirepass)

        configuration.subscribe_any(("acl-pubsub-default", "acllog-max-len"), limits)
        configuration.subscribe_any(("requirepass",), password)
        limits()
        password()

    def set_password(self, password: str) -> None:
        """requirepass has changed: the one password of the default user, or none if empty."""
        self.rules.apply(self.default, password_rules(password))
        self.rearm()

    def commands_changed(self) -> None:
        """Commands have come or gone: work out anew who may call what."""
        for user in self.users.values():
            for selector in user.selectors:
                self.rules.renew(selector)
            user.settle()
        self.rearm()

    def rearm(self) -> None:
        """Put the guard in force for the clients that have become restricted, or no longer."""
        for session in self.engine.sessions.values():
            session.rearm()


def password_rules(password: str) -> list[bytes]:
    """What requirepass means for the default user."""
    if not password:
        return [b"nopass"]
    return [b"resetpass", b">" + password.encode("utf-8", "surrogateescape")]
