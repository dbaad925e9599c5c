-- Version 4: what the person thinks of clips.

-- 1 to 5; 0: none.
ALTER TABLE clips ADD COLUMN rating INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clips ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clips ADD COLUMN note TEXT NOT NULL DEFAULT '';
-- Where the file of a rejected clip lies, absolute; NULL: at its own path.
ALTER TABLE clips ADD COLUMN trash BLOB;

-- Each change of the above, so that it can be taken back.
CREATE TABLE opinions (
  id          INTEGER PRIMARY KEY,
  clip        INTEGER NOT NULL REFERENCES clips (id) ON DELETE CASCADE,
  what        TEXT    NOT NULL CHECK (what IN ('rating', 'favourite', 'note', 'rejected')),
  before      TEXT    NOT NULL,             -- JSON
  after       TEXT    NOT NULL,             -- JSON
  undone      INTEGER NOT NULL DEFAULT 0,
  made        REAL    NOT NULL
);
CREATE INDEX opinions_clip ON opinions (clip);
