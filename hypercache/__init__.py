"""HyperCache: a Redis-compatible cache server in strictly typed Python on Trio."""

__version__ = "0.1.0"
