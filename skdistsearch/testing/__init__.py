"""For authors of backends: a suite to pass, and estimators and a cloud that fail on cue."""

from skdistsearch.testing._aws import LocalAWS
from skdistsearch.testing._estimators import Scripted
from skdistsearch.testing._suite import BackendSuite

__all__ = ["BackendSuite", "LocalAWS", "Scripted"]
