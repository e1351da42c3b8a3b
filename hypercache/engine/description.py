# mypyc: interpreted
"""A client in one line, as CLIENT LIST and CLIENT INFO show it."""

from hypercache.engine.buffers import client_memory
from hypercache.engine.context import PUBSUB, Context, client_type
from hypercache.engine.pubsub import Subscriptions
from hypercache.engine.session import Session


def describe_client(context: Context, args: list[bytes]) -> bytes:
    """The fields in Redis' order; ``args`` is the request now executed for it, if any."""
    engine = context.engine
    now = engine.time
    memory = unsent = chunks = 0
    buffered = request_size(args)
    announced = 0
    arguments = sum(map(len, args))
    descriptor = -1
    if isinstance(context, Session):
        descriptor = context.descriptor
        buffered += int(context.parser.unparsed())
        announced = int(context.parser.announced())
        arguments += int(context.parser.parsed())
        unsent = context.output_bytes
        chunks = len(context.output) + context.outlet.waiting()
        chunks += sum(len(held.chunks) for held in context.held)
        memory = client_memory(context)
    subscriptions = context.subscriptions or Subscriptions()
    redirect = -1 if context.tracker is None else context.tracker.redirect
    queued = sum(len(arg) for each in context.queue or [] for arg in each.args)
    command = context.last_command
    line = (
        f"id={context.id} addr={context.address} laddr={context.local_address} fd={descriptor}"
        f" name={text(context.name)} age={(now - context.created) // 1_000_000}"
        f" idle={(now - context.active) // 1_000_000} flags={client_flags(context)}"
        f" db={context.db.index} sub={len(subscriptions.channels)}"
        f" psub={len(subscriptions.patterns)} ssub={len(subscriptions.shard_channels)}"
        f" multi={-1 if context.queue is None else len(context.queue)}"
        f" qbuf={buffered} qbuf-free={announced} argv-mem={arguments}"
        f" multi-mem={queued} rbs=0 rbp=0 obl=0 oll={chunks} omem={unsent}"
        f" tot-mem={memory + request_size(args)} events={'rw' if unsent else 'r'}"
        f" cmd={'NULL' if command is None else text(command.name)} user={text(context.user.name)}"
        f" redir={redirect} resp={context.version} lib-name={text(context.library_name)}"
        f" lib-ver={text(context.library_version)}"
    )
    return line.encode("utf-8", "surrogateescape")


def text(data: bytes) -> str:
    """Bytes of a client as text that can be turned back."""
    return data.decode("utf-8", "surrogateescape")


def client_flags(context: Context) -> str:
    """One letter for each thing that is special about a client; N for nothing."""
    flags = "O" if context.monitoring else ""
    if client_type(context) == PUBSUB:
        flags += "P"
    if context.queue is not None:
        flags += "x"
    if context.blocked:
        flags += "b"
    tracker = context.tracker
    if tracker is not None:
        flags += "t"
        if tracker.broken:
            flags += "R"
        if tracker.bcast:
            flags += "B"
    if context.watch_broken:
        flags += "d"
    if context.closing:
        flags += "c"
    if context.is_unix:
        flags += "U"
    if context.no_evict:
        flags += "e"
    if context.no_touch:
        flags += "T"
    return flags or "N"


def request_size(args: list[bytes]) -> int:
    """Bytes of a request in RESP."""
    if not args:
        return 0
    size = len(b"*%d\r\n" % len(args))
    for arg in args:
        size += len(b"$%d\r\n" % len(arg)) + len(arg) + 2
    return size
