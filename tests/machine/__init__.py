"""Random sequences of data commands, played to two servers that must agree.

`vocabulary` has the words, `script` makes units of requests out of the registry's grammar,
`replies` says when two replies mean the same, `duel` plays and compares, `shrinking` finds
the few requests that matter, `coverage` keeps the account of what was really tried.
"""
