"""
A search that outlives this process
===================================

``jobs.submit`` starts a search and returns at once. The search goes on when the notebook is closed
or the terminal ends, and any process can attach to it by its name. Here it runs on this machine.
With ``driver="batch"``, the same code runs it on AWS Batch, and this machine can be switched off.
"""

# %%
# Submit
# ------
# The name is a handle: it identifies the job on this machine, and names its checkpoint.

import time

from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdistsearch import DistributedSearchCV, checkpoints, jobs

X, y = load_digits(return_X_y=True)
model = make_pipeline(StandardScaler(), SVC())
grid = {"svc__C": [1, 10], "svc__gamma": [0.0003, 0.001, 0.003]}
search = DistributedSearchCV(model, grid, cv=3, n_jobs=2)

started_at = time.perf_counter()
job = jobs.submit(search, X, y, name="digits", driver="local")
print(f"submitted after {time.perf_counter() - started_at:.1f} s: {job.status}")

# %%
# Attach
# ------
# Any other process could do this, tomorrow too. In a terminal: ``python -m skdistsearch jobs``.

job = jobs.attach("digits")
print(job.wait(timeout_s=300))
print(job.progress)

# %%
# Read the results
# ----------------
# They are data: reading them unpickles nothing.

results = job.results()
print(results["best_params_"], results["best_score_"].round(4))
assert len(results["cv_results_"]["params"]) == 6

# %%
# ``job.result()`` is the fitted search, which can predict. It is unpickled.

print(job.result().predict(X[:5]))

# %%
# ``fit`` with the checkpoint of the job gives the same search and unpickles nothing. It finds all
# fits and only repeats the refit.

fitted = search.set_params(checkpoint=job.checkpoint).fit(X, y)
assert fitted.best_score_ == results["best_score_"]

# %%
# A job and its checkpoint stay until they are deleted.

print(job.log())
jobs.delete("digits")
checkpoints.delete("digits")
