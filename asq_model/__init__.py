"""What is learned: ASQ quantisers, POST weights, the network, and the integer specification.

Importing this package, `codes`, `integer`, `golden` or `files` never imports torch: `hw` and `sim` use them.
"""
