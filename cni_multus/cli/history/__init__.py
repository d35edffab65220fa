"""`multus history`: the requests of the last hours, and what was slow about them."""
