"""Order of the examples in the gallery, and their command lines."""

import tempfile
from pathlib import Path

ORDER = (
    "quickstart",
    "model_families",
    "paths",
    "text_pipeline",
    "halving",
    "adaptive",
    "early_stopping",
    "leaderboard",
    "ensemble",
    "resume",
    "detached",
    "parallel",
    "flow",
    "tournament",
)


class GalleryOrder:
    """Sort key for the file names of one gallery."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, filename):
        """Return the position of a file; a file that is not listed is an error."""
        return ORDER.index(Path(filename).stem)


def reset_argv(gallery_conf, script_vars):
    """Return the command line of an example; only the tournament has one."""
    if Path(script_vars["src_file"]).stem != "tournament":
        return []
    return ["--config", "small_randomized", "--results", tempfile.mkdtemp()]
