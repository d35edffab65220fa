"""`multus support-bundle`: one archive of what a node shows, without its secrets."""
