"""pytest plugin: every ``Parallel`` of the tests runs on a Metaflow run whose workers stay.

With ``SKDISTSEARCH_SUITE=loky``, it runs in joblib's own processes: tests that fail then cannot be
expected to pass in workers elsewhere.
"""

import os

import joblib

import skdistsearch

skdistsearch.register_joblib()
if os.environ.get("SKDISTSEARCH_SUITE") == "loky":
    joblib.parallel_config(backend="loky", n_jobs=2)
else:
    joblib.parallel_config(backend="metaflow", n_jobs=2, min_remote_s=0, keep_alive_s=120)
