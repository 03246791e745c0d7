-- Catalog of a Groundwell store, from version 1 to version 2. Frozen: a change is a new migration file.

-- What an import has stored already, by the names that its source gives.
CREATE TABLE import_item (
  source TEXT NOT NULL CHECK (source <> ''),
  item TEXT NOT NULL CHECK (item <> ''),
  triplet INTEGER NOT NULL REFERENCES triplet (id) ON DELETE CASCADE,
  PRIMARY KEY (source, item)
) STRICT, WITHOUT ROWID;

CREATE INDEX import_item_by_triplet ON import_item (triplet);
