"""Ends a process and all that descend from it."""

import os
import signal
from collections import defaultdict
from contextlib import suppress
from pathlib import Path


def kill_tree(pid: int) -> None:
    """SIGKILL a process and its descendants, as they are at this moment. Blocks shortly.

    This process, if it is one of them, is the last: nobody would be left to end the others.
    """
    for each in sorted([pid, *descendants(pid)], key=lambda it: it == os.getpid()):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Children of a process, their children, and so on; empty where there is no /proc."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # The name, in brackets, may hold anything; what follows it is regular.
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children[parent].append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        mine = children.get(waiting.pop(), [])
        found += mine
        waiting += mine
    return found
