"""What a plugin is: those that make an interface, those that change one, those that give addresses."""
