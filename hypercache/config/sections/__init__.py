"""The settings by section; each class declares one section, its docstring says what it is about."""
