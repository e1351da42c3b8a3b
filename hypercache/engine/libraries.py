"""The libraries of functions, as files of data see them."""

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Libraries:
    """Whoever executes functions puts one of its own in this one's place, which has none."""

    def sources(self) -> list[bytes]:
        """The source of each library."""
        return []

    def restore(self, sources: list[bytes]) -> None:
        """Load libraries in the place of all that are there; raises `ErrorReply`."""
        if sources:
            raise ValueError("functions cannot be loaded without the plugin 'scripting'")
