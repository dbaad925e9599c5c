-- Version 2: when and by what a file is tried again, and what its sound is like.

-- Unix time; NULL: at once.
ALTER TABLE tracks ADD COLUMN retry_at REAL;
-- The version that last read the file.
ALTER TABLE tracks ADD COLUMN decoder TEXT NOT NULL DEFAULT '';

-- A file is looked up among all that was made of the tracks.
CREATE INDEX tracks_wav ON tracks (wav);
CREATE INDEX tracks_caption ON tracks (caption);
CREATE INDEX tracks_info ON tracks (info);

CREATE TABLE fingerprints (
  track       INTEGER PRIMARY KEY REFERENCES tracks (id) ON DELETE CASCADE,
  data        BLOB    NOT NULL,
  same_as     INTEGER REFERENCES tracks (id) ON DELETE SET NULL -- an earlier track with the same sound
);
CREATE INDEX fingerprints_same_as ON fingerprints (same_as) WHERE same_as IS NOT NULL;

-- Hashes that fingerprints are found by. They are removed with the fingerprint that they are made from.
CREATE TABLE landmarks (
  hash        INTEGER NOT NULL,
  track       INTEGER NOT NULL,
  PRIMARY KEY (hash, track)
) WITHOUT ROWID;
