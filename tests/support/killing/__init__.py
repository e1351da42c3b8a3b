"""Servers that are killed amid writes, and whether they come back with what they promised.

Each client owns two databases and is alone there, so that what they hold is decided by how many
of its writes are left: `State` says what, `Ledger` finds how many. Writes across clients leave
witnesses in a list of a database that all share.
"""
