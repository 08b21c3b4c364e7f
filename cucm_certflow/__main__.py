"""``python -m cucm_certflow`` is ``certflow``."""

from cucm_certflow.cli import main

if __name__ == "__main__":
    main()
