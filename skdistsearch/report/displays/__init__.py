"""Pictures of a fitted search, in the style of scikit-learn's displays.

Contents
--------
- `_cv_scores_display`, `_score_time_display`, `_best_score_display`: the scores.
- `_parameter_scores_display`, `_parallel_coordinates_display`, `_parameter_importances_display`:
  the parameters; `_parameter_scale` places values on a scale.
- `_training_history_display`, `_timeline_display`: the fits.
- `_display`: the base class; `_style`, `_room`: colours and sizes, and room for labels.

Import the displays from `skdistsearch.report`. Start reading at `_display`, then
`_cv_scores_display`.
"""
