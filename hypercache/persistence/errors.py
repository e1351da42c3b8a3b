"""What is wrong with a file of data."""


class LoadError(Exception):
    """A file cannot be loaded: the text names the file, the offset, what is wrong, what to do.

    Nothing is served then: a part of the data is never taken for the whole.
    """


class SaveError(Exception):
    """A file could not be written: the text names the file, what went wrong, what to do."""
