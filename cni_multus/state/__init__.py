"""Files that survive a crash at any instruction."""
