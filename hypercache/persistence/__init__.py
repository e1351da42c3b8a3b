"""What every way of keeping data in files has in common; the plugins are built on it.

`Capture` walks all keys as they were at one moment, without a fork and in slices, and has an
`Encoder` make bytes of them; `saving.save` puts those in a file while clients are served.
`Loader` is the other way: it brings keys, or commands of a journal, back into the engine.
"""
