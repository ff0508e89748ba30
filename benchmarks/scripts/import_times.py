"""Print the seconds of two imports in a fresh process."""

import json
from time import perf_counter

begin = perf_counter()
import sklearn.model_selection  # noqa: E402, F401

between = perf_counter()
import skdistsearch  # noqa: E402, F401

end = perf_counter()
seconds = {
    "import sklearn.model_selection": between - begin,
    "then import skdistsearch": end - between,
}
print(json.dumps(seconds))
