-- Catalog of a Groundwell store, from version 2 to version 3. Frozen: a change is a new migration file.

-- The prompts of triplets up to this number are in prompt_search; a few hundred later ones may wait
-- to be indexed together.
ALTER TABLE store ADD COLUMN last_indexed INTEGER NOT NULL DEFAULT 0 CHECK (last_indexed >= 0);

UPDATE store SET last_indexed = last_sequence;
