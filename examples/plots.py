"""Predicted against true values, for each kind of target."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay


def draw_predictions(truth, predicted):
    """Return a figure: points for numbers, a confusion matrix for classes or for each label."""
    if truth.dtype.kind == "f":
        figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
        PredictionErrorDisplay.from_predictions(
            truth,
            predicted,
            kind="actual_vs_predicted",
            subsample=1000,
            random_state=0,
            ax=ax,
            scatter_kwargs={"alpha": 0.4, "s": 12},
        )
        return figure
    truth, predicted = (np.reshape(values, (len(truth), -1)) for values in (truth, predicted))
    n_labels = truth.shape[1]
    figure, axes = plt.subplots(
        1, n_labels, squeeze=False, figsize=(4 * n_labels, 3.6), layout="constrained"
    )
    for label, ax in enumerate(axes[0]):
        ConfusionMatrixDisplay.from_predictions(
            truth[:, label], predicted[:, label], ax=ax, colorbar=False, cmap="Blues"
        )
        if n_labels > 1:
            ax.set_title(f"label {label}")
    return figure
