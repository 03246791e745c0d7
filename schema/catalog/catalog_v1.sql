-- Catalog of a Groundwell store, version 1. Frozen: a change is a new migration file.
-- Times are microseconds since 1970. Sequence numbers rise with every change and are never reused.

CREATE TABLE store (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  uuid TEXT NOT NULL CHECK (length(uuid) = 36),
  created_us INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL CHECK (last_sequence >= 0)
) STRICT;

CREATE TABLE category (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  target INTEGER NOT NULL DEFAULT 0 CHECK (target >= 0),
  stock INTEGER NOT NULL DEFAULT 0 CHECK (stock >= 0),       -- live triplets that show it
  instances INTEGER NOT NULL DEFAULT 0 CHECK (instances >= stock) -- live masks of it
) STRICT;

CREATE TABLE pack (
  id INTEGER PRIMARY KEY CHECK (id >= 1),
  committed_bytes INTEGER NOT NULL CHECK (committed_bytes >= 64),
  is_sealed INTEGER NOT NULL DEFAULT 0 CHECK (is_sealed IN (0, 1))
) STRICT;

CREATE TABLE triplet (
  id INTEGER PRIMARY KEY CHECK (id >= 1), -- the change-sequence number that added it
  width INTEGER NOT NULL CHECK (width >= 1),
  height INTEGER NOT NULL CHECK (height >= 1),
  prompt TEXT NOT NULL,
  engine TEXT NOT NULL CHECK (engine <> ''),
  model_fingerprint TEXT,
  seed INTEGER NOT NULL,
  sampler TEXT,
  steps INTEGER CHECK (steps >= 0),
  guidance_scale REAL,
  grounding_fingerprint TEXT,
  worker TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  committed_us INTEGER NOT NULL,
  deleted_sequence INTEGER CHECK (deleted_sequence > id), -- tombstone
  quarantined_sequence INTEGER CHECK (quarantined_sequence > id), -- failed its checksum
  pack INTEGER NOT NULL REFERENCES pack (id),
  offset INTEGER NOT NULL CHECK (offset >= 64),
  stored_bytes INTEGER NOT NULL CHECK (stored_bytes >= 1),
  codec INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE INDEX triplet_by_engine ON triplet (engine, id);
CREATE INDEX triplet_by_time ON triplet (committed_us, id);
CREATE INDEX triplet_deleted ON triplet (deleted_sequence) WHERE deleted_sequence IS NOT NULL;
CREATE INDEX triplet_quarantined ON triplet (quarantined_sequence)
  WHERE quarantined_sequence IS NOT NULL;

CREATE TABLE mask (
  triplet INTEGER NOT NULL REFERENCES triplet (id),
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0), -- position in the triplet
  category INTEGER NOT NULL REFERENCES category (id),
  instance INTEGER NOT NULL CHECK (instance >= 0),
  source TEXT NOT NULL CHECK (source IN ('exact', 'oracle', 'grounding', 'daam', 'import')),
  confidence REAL CHECK (confidence BETWEEN 0 AND 1),
  visible_fraction REAL CHECK (visible_fraction BETWEEN 0 AND 1),
  pixel_count INTEGER NOT NULL CHECK (pixel_count >= 1),
  pack INTEGER NOT NULL REFERENCES pack (id),
  offset INTEGER NOT NULL CHECK (offset >= 64),
  stored_bytes INTEGER NOT NULL CHECK (stored_bytes >= 1),
  codec INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (triplet, ordinal),
  UNIQUE (triplet, category, instance)
) STRICT, WITHOUT ROWID;

CREATE INDEX mask_by_category ON mask (category, triplet);

CREATE TABLE job (
  id INTEGER PRIMARY KEY CHECK (id >= 1),
  category INTEGER NOT NULL REFERENCES category (id),
  target INTEGER NOT NULL CHECK (target >= 1),
  engine TEXT NOT NULL CHECK (engine <> ''),
  image_size INTEGER NOT NULL CHECK (image_size >= 1),
  companions TEXT NOT NULL CHECK (json_valid(companions)), -- [{"category":…,"weight":…}]
  seed INTEGER NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'active'
    CHECK (state IN ('active', 'done', 'failed', 'cancelled')),
  item_count INTEGER NOT NULL CHECK (item_count >= 1),
  next_ordinal INTEGER NOT NULL DEFAULT 0 CHECK (next_ordinal BETWEEN 0 AND item_count),
  done_count INTEGER NOT NULL DEFAULT 0 CHECK (done_count BETWEEN 0 AND item_count),
  parked_count INTEGER NOT NULL DEFAULT 0 CHECK (parked_count BETWEEN 0 AND item_count),
  last_served INTEGER NOT NULL DEFAULT 0, -- rises with every lease: fair share between jobs
  last_error TEXT,
  created_us INTEGER NOT NULL,
  finished_us INTEGER,
  CHECK (done_count + parked_count <= item_count),
  CHECK ((state = 'active') = (finished_us IS NULL))
) STRICT;

CREATE INDEX job_active ON job (priority DESC, last_served) WHERE state = 'active';
CREATE INDEX job_by_category ON job (category, state);

-- An item has a row from its first lease on; ordinals from job.next_ordinal up have none yet.
CREATE TABLE work_item (
  job INTEGER NOT NULL REFERENCES job (id),
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  state TEXT NOT NULL CHECK (state IN ('pending', 'leased', 'done', 'parked')),
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- failures so far
  lost_leases INTEGER NOT NULL DEFAULT 0 CHECK (lost_leases >= 0), -- workers that vanished
  token INTEGER NOT NULL CHECK (token >= 1),                 -- fencing token: rises per lease
  worker TEXT,
  lease_expires_us INTEGER,
  triplet INTEGER REFERENCES triplet (id),
  last_error TEXT,
  PRIMARY KEY (job, ordinal),
  CHECK ((state = 'leased') = (lease_expires_us IS NOT NULL)),
  CHECK ((state = 'done') = (triplet IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX work_item_pending ON work_item (job, ordinal) WHERE state = 'pending';
CREATE INDEX work_item_leased ON work_item (lease_expires_us) WHERE state = 'leased';
