"""Fork within `unwind_on_sigterm`, and end each child by SIGTERM at once."""

import os
import signal
import time

from skdistsearch.model_selection._signals import unwind_on_sigterm

with unwind_on_sigterm():
    for _ in range(50):
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGTERM
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
