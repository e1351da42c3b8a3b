"""The kinds of settings that map names to values: backends, plugins, levels of components."""

from hypercache.config.errors import ConfigError
from hypercache.config.kinds import Choice, Kind
from hypercache.config.text import yaml_flow


class Mapping(Kind[dict[str, object]]):
    """Words ``name=value``; a value is read as YAML reads a scalar or a flow collection."""

    multiple = True

    def words(self, data: object) -> list[str]:
        if isinstance(data, dict):
            return [f"{name}={format_value(item)}" for name, item in data.items()]
        return super().words(data)

    def parse(self, words: list[str], current: dict[str, object], fresh: bool) -> dict[str, object]:
        result = {} if fresh else dict(current)
        for word in words:
            name, equals, text = word.partition("=")
            if not name or not equals:
                if word:
                    raise ConfigError("argument(s) must have the form name=value")
                continue
            result[name] = parse_value(text)
        return result

    def show(self, value: dict[str, object]) -> str:
        return " ".join(f"{name}={format_value(item)}" for name, item in value.items())

    def lines(self, value: dict[str, object]) -> list[list[str]]:
        return [[f"{name}={format_value(item)}" for name, item in value.items()] or [""]]

    def yaml(self, value: dict[str, object]) -> str:
        return yaml_flow(value)

    def allowed(self) -> str:
        return "name=value ..., or in YAML a mapping"


class Plugins(Kind[dict[str, dict[str, object]]]):
    """Names of plugins, and their settings as ``plugin.setting=value``."""

    multiple = True

    def words(self, data: object) -> list[str]:
        if not isinstance(data, dict):
            return super().words(data)
        words = []
        for name, settings in data.items():
            words.append(str(name))
            if not isinstance(settings, dict | None):
                raise ConfigError(f"settings of plugin '{name}' must be a mapping")
            for key, item in (settings or {}).items():
                words.append(f"{name}.{key}={format_value(item)}")
        return words

    def parse(
        self, words: list[str], current: dict[str, dict[str, object]], fresh: bool
    ) -> dict[str, dict[str, object]]:
        result = {} if fresh else {name: dict(settings) for name, settings in current.items()}
        for word in words:
            path, equals, text = word.partition("=")
            name, dot, setting = path.partition(".")
            if bool(dot) != bool(equals) or bool(dot) != bool(setting):
                raise ConfigError("argument(s) must be plugin names or plugin.setting=value")
            if name:
                settings = result.setdefault(name, {})
                if dot:
                    settings[setting] = parse_value(text)
        return result

    def show(self, value: dict[str, dict[str, object]]) -> str:
        return " ".join(value)

    def lines(self, value: dict[str, dict[str, object]]) -> list[list[str]]:
        words = []
        for name, settings in value.items():
            words.append(name)
            words += [f"{name}.{key}={format_value(item)}" for key, item in settings.items()]
        return [words or [""]]

    def yaml(self, value: dict[str, dict[str, object]]) -> str:
        return yaml_flow(value)

    def allowed(self) -> str:
        return "names of installed plugins, in YAML a list, or a mapping of names to settings"


class Levels(Kind[dict[str, str]]):
    """Words ``component=level``."""

    multiple = True

    def __init__(self, levels: tuple[str, ...]) -> None:
        self._levels = levels

    def words(self, data: object) -> list[str]:
        if isinstance(data, dict):
            return [f"{name}={level}" for name, level in data.items()]
        return super().words(data)

    def parse(self, words: list[str], current: dict[str, str], fresh: bool) -> dict[str, str]:
        result = {}
        for word in filter(None, words):
            name, _, level = word.partition("=")
            if not name:
                raise ConfigError("argument(s) must have the form component=level")
            result[name] = Choice(self._levels).parse([level], "", True)
        return result

    def show(self, value: dict[str, str]) -> str:
        return " ".join(f"{name}={level}" for name, level in value.items())

    def lines(self, value: dict[str, str]) -> list[list[str]]:
        return [self.show(value).split() or [""]]

    def yaml(self, value: dict[str, str]) -> str:
        return yaml_flow(value)

    def allowed(self) -> str:
        return "component=level ..., with a level of " + ", ".join(self._levels)


def parse_value(text: str) -> object:
    """What a scalar or flow collection means in YAML; text that is no YAML means itself."""
    import yaml  # takes a tenth of a start, and most starts read none

    try:
        value: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value


def format_value(value: object) -> str:
    """A value in a form that `parse_value` gives back."""
    if isinstance(value, str) and value and parse_value(value) == value:
        return value
    return yaml_flow(value)
