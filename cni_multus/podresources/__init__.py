"""Which devices the kubelet gave a pod."""
