"""Simulation of engines: a network's images through RTL, compared with its graph, value by value and cycle by cycle."""
