"""How networks are quantised and trained, as plain data; and the hashes that results are known by."""
