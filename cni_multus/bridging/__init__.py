"""What a bridge is to its pods: a port with its VLANs, a gateway, a check of the MACs behind it."""
