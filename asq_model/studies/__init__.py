"""The paper's experiments, and others on trained networks: commands, measurements and the pages that show them."""
