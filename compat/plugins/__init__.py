"""What is in custom_nodes: imported one by one, each in isolation, with what they offer to server and browsers."""
