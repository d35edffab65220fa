"""What a pod's annotations ask for, as data: parsed and validated as a whole."""
