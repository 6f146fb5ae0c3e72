-- Arrival of the message before `next`, by which a log that lost its tail is known. None in rows of before.
ALTER TABLE positions ADD COLUMN arrival BIGINT;

-- Who waits for a lease sees by `beat` whether its owner still renews it; nobody's wall clock has a say.
ALTER TABLE leases RENAME COLUMN expiry TO beat;
