"""The sections of a report, a file each: what a view found, in words, charts and tables."""
