"""See and delete what searches have kept."""

from skdistsearch.checkpoints._manage import Checkpoint, Searches, delete, inspect, list  # noqa: A004

__all__ = ["Checkpoint", "Searches", "delete", "inspect", "list"]
