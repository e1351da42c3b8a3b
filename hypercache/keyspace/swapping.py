"""Two databases that change places."""

from hypercache.keyspace.changes import Event, Touch
from hypercache.keyspace.keyspace import Keyspace


def swap(first: Keyspace, second: Keyspace, event: Event) -> None:
    """SWAPDB: exchange the keys of two databases; with itself it counts, but changes nothing.

    The stores do it: exchanging them here would be nothing that a rollback undoes or a
    restart keeps.
    """
    changes = first.changes
    changes.dirty += 1
    if first is second:
        return
    for hook in changes.hooks:
        hook.before_swap(first.index, second.index)
    first.store.swap(second.store)
    first.forget_adoption()
    second.forget_adoption()
    first.count()
    second.count()
    first.fielded = second.fielded = first.fielded or second.fielded
    if changes.observed:
        changes.touched.append(Touch(first.index, None, event))
        changes.touched.append(Touch(second.index, None, event))
