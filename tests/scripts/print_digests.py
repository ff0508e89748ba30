"""Print digests as JSON. Arguments: a file with code to digest, and names of values as JSON."""

import json
import runpy
import sys

import scipy.stats  # noqa: F401 # imports that the tests do not have
import sklearn.svm  # noqa: F401
from helpers.values_to_digest import VALUES

from skdistsearch.checkpoints._digest import Digester

code = runpy.run_path(sys.argv[1], run_name="__main__")
digests = {name: Digester().digest(VALUES[name]()) for name in json.loads(sys.argv[2])}
digests["code"] = Digester().digest(code["everything"])
json.dump(digests, sys.stdout)
