"""Print what the latest run of TournamentFlow has kept: ``inspect_tournament_run.py EXAMPLES``."""

import base64
import json
import re
import sys

import metaflow
from metaflow.cards import get_cards

sys.path.insert(0, sys.argv[1])  # the model refers to a function of configs
metaflow.namespace(None)
run = metaflow.Flow("TournamentFlow").latest_run
html = get_cards(run["judge"].task)[0].get()
(data,) = re.findall(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', html)
card = base64.b64decode(data).decode()
seen = {
    "files": sorted(run.data.files),
    "ranks": run.data.leaderboard["rank"].tolist(),
    "n_predictions": len(run.data.final.predict(run.data.X)),
    "pictures_in_card": card.count("data:image/png"),
    "conclusion_in_card": "on 20 held-out rows" in card,
}
sys.stdout.write(json.dumps(seen) + "\n")
