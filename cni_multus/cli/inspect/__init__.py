"""`multus inspect`: what is attached on this node, by the records and by the kernel; it changes nothing."""
