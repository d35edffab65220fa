"""`multus trace`: attachments as they happen, and one request step by step."""
