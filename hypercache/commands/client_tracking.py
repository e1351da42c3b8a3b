"""CLIENT TRACKING and its relatives: clients that cache what they read."""

from hypercache.commands.arguments import SYNTAX_ERROR
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.session import Session
from hypercache.engine.tracking import Tracker
from hypercache.keyspace import numbers
from hypercache.reply import OK, ErrorReply, Members, Reply, quotable


class Options:
    """What CLIENT TRACKING is told: a `Tracker` to be, and the prefixes of BCAST."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.prefixes: list[bytes] = []

    def read(self, context: Context, args: list[bytes]) -> None:
        """Take everything behind ON or OFF; raises for what makes no sense by itself."""
        tracker = self.tracker
        at = 3
        while at < len(args):
            option = args[at].lower()
            more = at + 1 < len(args)
            if option == b"redirect" and more:
                at += 1
                if tracker.redirect != 0:
                    raise ErrorReply("ERR A client can only redirect to a single other client")
                tracker.redirect = receiver(context, args[at])
            elif option == b"prefix" and more:
                at += 1
                self.prefixes.append(args[at])
            elif option == b"bcast":
                tracker.bcast = True
            elif option == b"optin":
                tracker.optin = True
            elif option == b"optout":
                tracker.optout = True
            elif option == b"noloop":
                tracker.noloop = True
            else:
                raise ErrorReply(SYNTAX_ERROR)
            at += 1

    def check(self, present: Tracker | None) -> None:
        """Raise for options that contradict each other, or how the client tracks at present."""
        tracker = self.tracker
        if self.prefixes and not tracker.bcast:
            raise ErrorReply("ERR PREFIX option requires BCAST mode to be enabled")
        if present is not None and present.bcast != tracker.bcast:
            raise switched("BCAST mode on/off")
        if tracker.bcast and (tracker.optin or tracker.optout):
            raise ErrorReply("ERR OPTIN and OPTOUT are not compatible with BCAST")
        if tracker.optin and tracker.optout:
            raise ErrorReply("ERR You can't specify both OPTIN mode and OPTOUT mode")
        if present is not None and (
            (tracker.optin and present.optout) or (tracker.optout and present.optin)
        ):
            raise switched("OPTIN/OPTOUT mode")
        self.check_prefixes([] if present is None else sorted(present.prefixes))

    def check_prefixes(self, present: list[bytes]) -> None:
        """Raise if a change of one key would be told under two prefixes.

        There may be a million of them: only the first that overlaps is compared with all others.
        """
        suspects = nested(present + self.prefixes)
        for number, prefix in enumerate(self.prefixes):
            if prefix not in suspects:
                continue
            for other in present:
                if overlap(prefix, other):
                    raise overlapping(prefix, "an existing prefix", other)
            for other in self.prefixes[number + 1 :]:
                if overlap(prefix, other):
                    raise overlapping(prefix, "another provided prefix", other)


def receiver(context: Context, arg: bytes) -> int:
    """The number of the client to redirect to, which is there now; 0 stands for none."""
    number = numbers.parse_integer(arg)
    if number is None:
        raise ErrorReply("ERR value is not an integer or out of range")
    if number not in context.engine.sessions:
        raise ErrorReply("ERR The client ID you want redirect to does not exist")
    return number


def nested(prefixes: list[bytes]) -> set[bytes]:
    """Those of some prefixes that begin like another one, or are the beginning of one.

    In order, what begins with a prefix follows it at once.
    """
    found: set[bytes] = set()
    above: list[bytes] = []
    for prefix in sorted(prefixes):
        while above and not prefix.startswith(above[-1]):
            above.pop()
        if above:
            found.add(prefix)
            found.add(above[-1])
        above.append(prefix)
    return found


def overlap(first: bytes, second: bytes) -> bool:
    """Whether one of two prefixes is the beginning of the other."""
    return first.startswith(second) or second.startswith(first)


def overlapping(prefix: bytes, which: str, other: bytes) -> ErrorReply:
    """The error for prefixes that overlap."""
    return ErrorReply(
        f"ERR Prefix '{quotable(prefix)}' overlaps with {which} '{quotable(other)}'. "
        "Prefixes for a single client must not overlap."
    )


def switched(mode: str) -> ErrorReply:
    """The error for a mode that must not change while the client tracks."""
    return ErrorReply(
        f"ERR You can't switch {mode} before disabling tracking for this client, and then "
        "re-enabling it with a different mode."
    )


@command(
    "CLIENT TRACKING status=(ON | OFF) [REDIRECT client-id:integer] [PREFIX prefix]... [BCAST]"
    " [OPTIN] [OPTOUT] [NOLOOP]",
    container="CLIENT",
    group="connection",
    since="6.0.0",
    complexity="O(1). Some options may introduce additional complexity.",
    flags="noscript loading stale",
    summary="Hear of changes of the keys that this connection reads, or no longer.",
)
def client_tracking(context: Context, args: list[bytes]) -> Reply:
    """Options are checked for OFF as well, though it needs none."""
    options = Options()
    options.read(context, args)
    switch = args[2].lower()
    if switch == b"off":
        context.engine.tracking.disable(context)
        return OK
    if switch != b"on":
        raise ErrorReply(SYNTAX_ERROR)
    options.check(context.tracker)
    if not isinstance(context, Session):
        raise ErrorReply("ERR this client cannot be told of changes")
    context.engine.tracking.enable(context, options.tracker, options.prefixes)
    return OK


@command(
    "CLIENT CACHING mode=(YES | NO)",
    container="CLIENT",
    group="connection",
    since="6.0.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Have the keys of the next command tracked (OPTIN), or not (OPTOUT).",
)
def client_caching(context: Context, args: list[bytes]) -> Reply:
    tracker = context.tracker
    if tracker is None:
        raise ErrorReply(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN "
            "or OPTOUT mode enabled"
        )
    mode = args[2].lower()
    if mode == b"yes":
        if not tracker.optin:
            raise only_valid("YES", "OPTIN")
    elif mode == b"no":
        if not tracker.optout:
            raise only_valid("NO", "OPTOUT")
    else:
        raise ErrorReply(SYNTAX_ERROR)
    context.engine.tracking.set_caching(context, True)
    return OK


def only_valid(word: str, mode: str) -> ErrorReply:
    """The error for CLIENT CACHING in another mode."""
    return ErrorReply(
        f"ERR CLIENT CACHING {word} is only valid when tracking is enabled in {mode} mode."
    )


@command(
    "CLIENT GETREDIR",
    container="CLIENT",
    group="connection",
    since="6.0.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Return to which client invalidations are redirected: 0 to none, -1 without tracking.",
)
def client_getredir(context: Context, args: list[bytes]) -> Reply:
    tracker = context.tracker
    return -1 if tracker is None else tracker.redirect


@command(
    "CLIENT TRACKINGINFO",
    container="CLIENT",
    group="connection",
    since="6.2.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Describe the tracking of this connection.",
)
def client_trackinginfo(context: Context, args: list[bytes]) -> Reply:
    tracker = context.tracker
    if tracker is None:
        return {b"flags": Members([b"off"]), b"redirect": -1, b"prefixes": []}
    return {
        b"flags": Members([flag.encode() for flag in tracker.flags()]),
        b"redirect": tracker.redirect,
        b"prefixes": sorted(tracker.prefixes),
    }
