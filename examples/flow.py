"""
Search in a Metaflow flow of your own
=====================================

A search can run inside any flow: one step plans the fits, the tasks of a *foreach* run them, and
the join assembles the fitted search. This page runs such a flow and then reads the search from the
stored run.

.. literalinclude:: ../../examples/own_flow.py
   :caption: own_flow.py
   :language: python
   :start-at: from metaflow

(Download :download:`own_flow.py <../../examples/own_flow.py>`.)
"""

# %%
# Run the flow
# ------------
# In a terminal this is ``python own_flow.py run``. Here :class:`metaflow.Runner` starts it.
# Metaflow would store the run in a folder ``.metaflow``; this page uses a temporary folder.

import os
import tempfile

os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", tempfile.mkdtemp())

import matplotlib.pyplot as plt
import own_flow
from metaflow import Runner

from skdistsearch.report import CVScoresDisplay, TimelineDisplay, leaderboard

with Runner(own_flow.__file__, show_output=False).run() as running:
    run = running.run
print(running.status)
for step in reversed(list(run)):
    print(f"Tasks of {step.id}: {len(list(step))}")

# %%
# Read the search from the run
# ----------------------------
# Metaflow keeps the attributes of the flow. ``search`` is fitted, as after a call of ``fit``.

search = run.data.search
print(f"R² {search.best_score_:.3f}: {search.best_params_}")

# %%

leaderboard(search)[["rank", "parameters", "mean_score", "std_error"]].round(3)

# %%

CVScoresDisplay.from_search(search)

# %%
# The timeline has one row for each task.

TimelineDisplay.from_search(search)
plt.show()
