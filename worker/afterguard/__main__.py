"""`python -m afterguard` is the `afterguard` command."""

from afterguard.cli.main import app

if __name__ == "__main__":  # vLLM spawns children that import this module again
    app()
