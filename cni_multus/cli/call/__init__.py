"""`multus call`: one configuration called by hand, shown, timed, and taken apart again."""
