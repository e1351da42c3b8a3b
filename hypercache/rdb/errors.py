"""What is wrong with bytes that should be a value."""


class RdbError(Exception):
    """The bytes are not what the format asks for: cut, forged or of a later version."""
