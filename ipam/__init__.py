"""One file or package per IPAM type, nothing else."""
