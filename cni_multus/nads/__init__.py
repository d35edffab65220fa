"""NetworkAttachmentDefinitions: where they are, and the networks that they describe."""
