"""host-local: addresses from ranges of this node's own, kept in files that the Go host-local can share."""
