"""What configuration raises: one error, whose text is ready to be shown."""


class ConfigError(Exception):
    """A setting that cannot be: ``str()`` of it is the whole text.

    At start it is the message that stops the server; from `Configuration.set` and
    `Configuration.rewrite` it is the error line of CONFIG SET and CONFIG REWRITE (with its
    code word); from a subscriber or `Kind.parse` it is the bare reason.
    """
