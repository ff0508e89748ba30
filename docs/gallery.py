"""Order of the examples in the gallery, and their command lines."""

import tempfile
from pathlib import Path

ORDER = (
    "quickstart",
    "model_families",
    "text_pipeline",
    "halving",
    "early_stopping",
    "leaderboard",
    "ensemble",
    "resume",
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
    script = Path(script_vars["src_file"])
    if script.stem != "tournament":
        return []
    options = ["--config", "small_randomized"]
    has_results = "--results" in script.read_text(encoding="utf-8")
    return [*options, "--results", tempfile.mkdtemp()] if has_results else options
