-- Version 5: the tracks in the order of their last changes.

CREATE INDEX tracks_changed ON tracks (changed, id);
