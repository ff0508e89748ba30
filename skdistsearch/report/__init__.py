"""What a run tells people: made from outcomes, never in the way of a fit."""
