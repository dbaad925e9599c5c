-- Version 1. Paths are bytes (os.fsencode), relative to the library's root.

CREATE TABLE tracks (
  id          INTEGER PRIMARY KEY,
  path        BLOB    NOT NULL UNIQUE,      -- the person's own file
  content     TEXT    NOT NULL,             -- BLAKE2b-128 of its bytes, hexadecimal
  size        INTEGER NOT NULL,
  mtime_ns    INTEGER NOT NULL,
  state       TEXT    NOT NULL CHECK (state IN ('waiting', 'working', 'ready', 'failed', 'missing')),
  reason      TEXT    NOT NULL DEFAULT '',  -- why it failed
  hint        TEXT    NOT NULL DEFAULT '',
  attempts    INTEGER NOT NULL DEFAULT 0,
  wav         BLOB,                         -- the 44.1 kHz PCM_16 file; the source itself where it is one
  caption     BLOB,
  info        BLOB,
  duration    REAL,                         -- seconds
  title       TEXT    NOT NULL DEFAULT '',
  artist      TEXT    NOT NULL DEFAULT '',
  album       TEXT    NOT NULL DEFAULT '',
  added       REAL    NOT NULL,             -- Unix time
  changed     REAL    NOT NULL
);
CREATE INDEX tracks_content ON tracks (content);
CREATE INDEX tracks_state ON tracks (state);

CREATE TABLE proposals (
  track       INTEGER PRIMARY KEY REFERENCES tracks (id) ON DELETE CASCADE,
  version     TEXT    NOT NULL,             -- the classifier's
  genre       TEXT    NOT NULL,
  probability REAL    NOT NULL,
  top         TEXT    NOT NULL,             -- JSON: [[genre, probability], …], most likely first
  made        REAL    NOT NULL
);

CREATE TABLE decisions (
  id          INTEGER PRIMARY KEY,
  track       INTEGER NOT NULL REFERENCES tracks (id) ON DELETE CASCADE,
  content     TEXT    NOT NULL,
  action      TEXT    NOT NULL,             -- label, skip, flag, reject
  genre_from  TEXT,
  genre_to    TEXT,
  moves       TEXT    NOT NULL,             -- JSON: [[from, to], …], relative, surrogate-escaped
  state       TEXT    NOT NULL CHECK (state IN ('planned', 'done', 'undoing', 'undone')),
  decider     TEXT    NOT NULL,             -- person or demo
  proposed    TEXT,                         -- the genre that was proposed
  probability REAL,
  step        INTEGER,                      -- decisions of one step are undone together; NULL: not any more
  made        REAL    NOT NULL
);
CREATE INDEX decisions_track ON decisions (track);
CREATE INDEX decisions_step ON decisions (step);
CREATE INDEX decisions_state ON decisions (state);

CREATE TABLE clips (
  id          INTEGER PRIMARY KEY,
  path        BLOB    NOT NULL UNIQUE,      -- absolute
  recipe      TEXT    NOT NULL,             -- JSON
  duration    REAL    NOT NULL,
  made        REAL    NOT NULL
);
