"""Terminal commands: ``python -m skdistsearch jobs``."""

import sys


def main(arguments: list[str]) -> int:
    """Run a command, and return its exit status."""
    if arguments[:1] != ["jobs"]:
        sys.stderr.write("usage: python -m skdistsearch jobs [list|status|cancel|log] [name]\n")
        return 0 if arguments in (["-h"], ["--help"]) else 2
    from skdistsearch.jobs import run_command

    return run_command(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
