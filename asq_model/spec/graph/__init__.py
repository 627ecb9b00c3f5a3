"""A network in integers as a graph: tensors, nodes, how they run, and the file that holds them. Free of torch."""
