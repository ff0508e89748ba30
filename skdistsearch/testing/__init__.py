"""For authors of backends: a suite that a backend passes, and estimators that fail on cue."""

from skdistsearch.testing._estimators import Scripted
from skdistsearch.testing._suite import BackendSuite

__all__ = ["BackendSuite", "Scripted"]
