"""The integer specification: what RTL must match bit for bit. Plain Python integers and numpy, no torch, no float."""
