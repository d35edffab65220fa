"""ipMasq: what containers send beyond their own networks leaves the node under the node's address."""
