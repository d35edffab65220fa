"""One file per CNI plugin type, nothing else."""
