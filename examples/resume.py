"""
Resume a search that was killed
===============================

With ``checkpoint=``, the outcome of each fit is saved as soon as it finishes. This page kills a
search half-way and starts the same script again. It repeats no finished fit.

.. literalinclude:: ../../examples/overnight.py
   :caption: overnight.py
   :language: python

(Download :download:`overnight.py <../../examples/overnight.py>`.)
"""

# %%
# Kill it half-way
# ----------------
# The script runs in a process of its own. As soon as 20 of its 60 fits are saved, it gets SIGKILL,
# which no program can catch.

import subprocess
import sys
import tempfile
import time

import matplotlib.pyplot as plt
import overnight

from skdistsearch import checkpoints
from skdistsearch.exceptions import CheckpointError
from skdistsearch.report import TimelineDisplay

folder = tempfile.TemporaryDirectory()
command = [sys.executable, overnight.__file__, "--checkpoint", folder.name]


def count_saved_fits():
    try:
        return checkpoints.inspect(folder.name).n_fits
    except CheckpointError:  # nothing is saved yet
        return 0


process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
while count_saved_fits() < 20 and process.poll() is None:
    time.sleep(0.05)
process.kill()
print("Exit status:", process.wait())

# %%
# Start it again
# --------------
# The same command runs only the missing fits.

time.sleep(2)  # until the worker processes have ended too
n_saved = count_saved_fits()
restarted_at = time.time()
done = subprocess.run(command, capture_output=True, text=True, check=True)
print(done.stderr, done.stdout, sep="")

# %%
# Nothing was repeated
# --------------------
# Calling the search once more runs no fit at all. It has the outcomes and the times of all fits, so
# the timeline shows the processes of both runs and the gap between them.

search = overnight.fit_search(checkpoint=folder.name)
display = TimelineDisplay.from_search(search)

n_before = sum(bar.started_at < restarted_at for bar in display.bars)
print(f"{n_before} fits before the kill, {len(display.bars) - n_before} after it")
assert n_before == n_saved

# %%
# Extend the grid
# ---------------
# A wider grid runs only the new fits: here, those of one more value of ``C``.

overnight.fit_search(C=(1, 10, 100, 1000), checkpoint=folder.name)
print(f"{count_saved_fits()} fits in the checkpoint")

# %%
# A checkpoint stays until you delete it, with ``checkpoints.delete("overnight")``. See
# :doc:`/guide/checkpoints` for checkpoints in S3 and for what makes fits run again.

folder.cleanup()
plt.show()
