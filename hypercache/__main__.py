"""``python -m hypercache``."""

from hypercache.cli import main

if __name__ == "__main__":
    main()
