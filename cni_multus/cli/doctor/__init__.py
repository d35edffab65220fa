"""What can be wrong on a node: a module for each area; checks only look, and mend nothing unless they are told."""
