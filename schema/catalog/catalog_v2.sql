-- Catalog of a Groundwell store, from version 1 to version 2. Frozen: a change is a new migration file.

ALTER TABLE store ADD COLUMN last_pack INTEGER NOT NULL DEFAULT 0 CHECK (last_pack >= 0);
-- Snapshots before this one have lost triplets to compaction and can no longer be seen.
ALTER TABLE store ADD COLUMN oldest_snapshot INTEGER NOT NULL DEFAULT 0
  CHECK (oldest_snapshot >= 0);

-- Bytes of the records that rows refer to; the rest is what compaction gives back.
ALTER TABLE pack ADD COLUMN live_bytes INTEGER NOT NULL DEFAULT 0 CHECK (live_bytes >= 0);

-- XXH3-64 over everything that the catalog says of a triplet and its masks but the places of its
-- records: a flipped bit in the catalog's own file is found when the row is read.
ALTER TABLE triplet ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;

CREATE INDEX triplet_by_pack ON triplet (pack, offset);

UPDATE store SET last_pack = coalesce((SELECT max(id) FROM pack), 0);
-- A record has 32 bytes of header and ends at a multiple of 8.
UPDATE pack SET live_bytes =
  coalesce((SELECT sum((stored_bytes + 39) / 8 * 8) FROM triplet WHERE pack = pack.id), 0)
  + coalesce((SELECT sum((stored_bytes + 39) / 8 * 8) FROM mask WHERE mask.pack = pack.id), 0);

-- Packs that compaction has emptied and whose files may still be there.
CREATE TABLE retired_pack (
  id INTEGER PRIMARY KEY CHECK (id >= 1)
) STRICT;

-- Why a triplet was set aside.
CREATE TABLE quarantine (
  triplet INTEGER PRIMARY KEY REFERENCES triplet (id) ON DELETE CASCADE,
  found_us INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

INSERT INTO quarantine (triplet, found_us, reason)
  SELECT id, committed_us, 'its bytes were damaged' FROM triplet
  WHERE quarantined_sequence IS NOT NULL;

-- The promise to keep a snapshot whole until a time, whoever is connected.
CREATE TABLE snapshot_lease (
  id INTEGER PRIMARY KEY CHECK (id >= 1),
  snapshot INTEGER NOT NULL CHECK (snapshot >= 0),
  holder TEXT NOT NULL CHECK (holder <> ''),
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
) STRICT;

-- What an import has stored already, by the names that its source gives.
CREATE TABLE import_item (
  source TEXT NOT NULL CHECK (source <> ''),
  item TEXT NOT NULL CHECK (item <> ''),
  triplet INTEGER NOT NULL REFERENCES triplet (id) ON DELETE CASCADE,
  PRIMARY KEY (source, item)
) STRICT, WITHOUT ROWID;

CREATE INDEX import_item_by_triplet ON import_item (triplet);

-- Partitions of categories into seen and unseen; a category need not have triplets yet.
CREATE TABLE split (
  name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
  note TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE split_category (
  split TEXT NOT NULL REFERENCES split (name) ON DELETE CASCADE,
  position INTEGER NOT NULL CHECK (position >= 0), -- seen ones first, each part in its order
  category TEXT NOT NULL CHECK (length(category) BETWEEN 1 AND 64),
  is_unseen INTEGER NOT NULL CHECK (is_unseen IN (0, 1)),
  PRIMARY KEY (split, position),
  UNIQUE (split, category)
) STRICT, WITHOUT ROWID;

-- Full text of the prompts; its rows follow those of triplet.
CREATE VIRTUAL TABLE prompt_search USING fts5(
  prompt, content='triplet', content_rowid='id', columnsize=0,
  tokenize='unicode61 remove_diacritics 2'
);

INSERT INTO prompt_search (prompt_search) VALUES ('rebuild');

-- An item remembers its triplet, which may have been deleted and compacted away since.
CREATE TABLE work_item_2 (
  job INTEGER NOT NULL REFERENCES job (id),
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  state TEXT NOT NULL CHECK (state IN ('pending', 'leased', 'done', 'parked')),
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- failures so far
  lost_leases INTEGER NOT NULL DEFAULT 0 CHECK (lost_leases >= 0), -- workers that vanished
  token INTEGER NOT NULL CHECK (token >= 1),                 -- fencing token: rises per lease
  worker TEXT,
  lease_expires_us INTEGER,
  triplet INTEGER,
  last_error TEXT,
  PRIMARY KEY (job, ordinal),
  CHECK ((state = 'leased') = (lease_expires_us IS NOT NULL)),
  CHECK ((state = 'done') = (triplet IS NOT NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO work_item_2 SELECT job, ordinal, state, attempts, lost_leases, token, worker,
  lease_expires_us, triplet, last_error FROM work_item;
DROP TABLE work_item;
ALTER TABLE work_item_2 RENAME TO work_item;

CREATE INDEX work_item_by_state ON work_item (job, state, ordinal);
CREATE INDEX work_item_expiring ON work_item (lease_expires_us) WHERE state = 'leased';
