"""On a node and off it again: the program, its configuration, and what keeps both right."""
