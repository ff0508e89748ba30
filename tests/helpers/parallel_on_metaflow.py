"""pytest plugin: every ``Parallel`` of the tests runs on a Metaflow run whose workers stay."""

import joblib

import skdistsearch

skdistsearch.register_joblib()
joblib.parallel_config(backend="metaflow", n_jobs=2, min_remote_s=0, keep_alive_s=120)
