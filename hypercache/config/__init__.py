"""Configuration: one typed schema, its sources, and what CONFIG does with it at run time.

    configuration = load(sys.argv[1:])            # raises ConfigError: print str(error), exit 1
    settings = configuration.settings             # the same object for the server's life
    settings.maxclients                           # int; attribute = Redis' name with underscores
    settings.client_output_buffer_limit.pubsub.hard
    settings.path(settings.logfile)               # relative to `dir`
    configuration.warnings                        # list[str], to log once logs are configured

    Configuration(Settings(port=0, ...))          # in tests and fixtures, without any source

    configuration.get("maxm*", "slaveof")         # CONFIG GET: [("maxmemory", "0"), ...]
    configuration.set([("maxmemory", "1gb")], local=True, loading=False)   # CONFIG SET
    configuration.rewrite()                       # CONFIG REWRITE
    configuration.subscribe("maxclients", callback)        # callback(old, new) after a CONFIG SET
    configuration.subscribe_any(["port", "bind"], callback)   # callback(), once for all of them
    configuration.is_secret("requirepass")        # redact this argument of CONFIG SET
    configuration.origin("port")                  # "redis.conf, line 3", "default", ...

`set` and `rewrite` raise `ConfigError` whose text is the error line, code word included. A
subscriber may raise ``ConfigError("Unable to listen on this port")``: then CONFIG SET undoes
everything and answers with that reason.

Sources, each overriding those before: defaults; the file named first on the command line
(our YAML, or a redis.conf); ``HYPERCACHE_<NAME>`` variables; ``--name value`` options.
Settings are declared in ``hypercache.config.sections``, each once.
"""

from hypercache.config.compound import BufferLimit, BufferLimits, Endpoint, SavePoint
from hypercache.config.configuration import Configuration
from hypercache.config.errors import ConfigError
from hypercache.config.load import load
from hypercache.config.schema import Directive
from hypercache.config.settings import BY_NAME, DIRECTIVES, Settings

__all__ = [
    "BY_NAME",
    "DIRECTIVES",
    "BufferLimit",
    "BufferLimits",
    "ConfigError",
    "Configuration",
    "Directive",
    "Endpoint",
    "SavePoint",
    "Settings",
    "load",
]
