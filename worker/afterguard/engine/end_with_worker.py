"""An engine ends with its worker, also when that is killed and can end nothing any more.

Left alone it would keep the memory of its GPU, and the worker that is started next would find none.
"""

import multiprocessing
import os
import threading
from typing import Final

from afterguard.engine.process_tree import kill_tree

_NAME: Final = "end with worker"


def end_with_worker() -> None:
    """Have this process, and what it started, killed when the one that started it has ended.

    Waits in a thread. Does nothing in a process that nobody started, or when it waits already.
    """
    parent = multiprocessing.parent_process()
    if parent is None or any(it.name == _NAME for it in threading.enumerate()):
        return

    def wait() -> None:
        parent.join()
        kill_tree(os.getpid())

    threading.Thread(target=wait, name=_NAME, daemon=True).start()
