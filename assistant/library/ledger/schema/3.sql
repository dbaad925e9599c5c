-- Version 3: how far a proposal can be believed. NULL where it is not known, as of older proposals.

-- Share of the segments that name the genre.
ALTER TABLE proposals ADD COLUMN agreement REAL;
-- Share of known music that is nearer to its genres.
ALTER TABLE proposals ADD COLUMN strangeness REAL;
-- So many of the first of `top` hold the truth, as often as the configured level says.
ALTER TABLE proposals ADD COLUMN likely INTEGER;
