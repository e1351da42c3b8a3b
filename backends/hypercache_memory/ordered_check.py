# mypyc: interpreted
"""Looking for what is wrong in a tree of ordered members."""

from hypercache_memory.ordered_members import Node, OrderedMembers


def check_order(order: OrderedMembers) -> list[str]:
    """What is inconsistent, in words; empty when all is well. O(n)."""
    wrong: list[str] = []
    _check(order.root, order.width, True, wrong)
    if order.root.size() != order.size:
        wrong.append(f"the tree counts {order.root.size()} entries of {order.size}")
    previous: tuple[bytes, float] | None = None
    for member, score in order.range(0, order.size):
        if previous is not None and not (previous[1], previous[0]) < (score, member):
            wrong.append(f"{member!r} at {score} comes after {previous[0]!r} at {previous[1]}")
        previous = member, score
    return wrong


def _check(node: Node, width: int, is_root: bool, wrong: list[str]) -> int:
    """What is inconsistent in and below a node; its height."""
    own = len(node.members)
    children = node.children
    if own > width or own * 4 < (0 if is_root else width):
        wrong.append(f"a node has {own} entries, with a width of {width}")
    if len(node.scores) != own:
        wrong.append(f"a node has {own} members, and {len(node.scores)} scores")
    if children is None:
        return 1
    if len(children) != own or len(node.counts) != own or own < 2:
        wrong.append(f"{own} entries, {len(node.counts)} counts, {len(children)} children")
    height = 0
    for at, child in enumerate(children):
        if node.counts[at] != child.size():
            wrong.append(f"a child has {child.size()} entries, its parent counts {node.counts[at]}")
        if node.members[at] is not child.members[0] or node.scores[at] != child.scores[0]:
            wrong.append(f"{child.members[0]!r} is lowest, its parent shows {node.members[at]!r}")
        below = _check(child, width, False, wrong)
        if height != 0 and below != height:
            wrong.append(f"children of heights {height} and {below}")
        height = below
    return height + 1
