"""`multus ipam`: who has which address, and what to do about those that nobody has any more."""
