"""Order of the examples in the gallery: from the first search to the tournament."""

from pathlib import Path

ORDER = (
    "quickstart",
    "model_families",
    "text_pipeline",
    "halving",
    "early_stopping",
    "leaderboard",
    "ensemble",
    "overnight",
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
