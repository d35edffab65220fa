"""`multus explain`: what an ADD would do, foreseen with the code that does it; nothing here changes anything."""
