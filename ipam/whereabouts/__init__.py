"""whereabouts: addresses from ranges that a whole cluster, or one node, has in common, each given once."""
