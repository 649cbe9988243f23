"""Events: the feed, server-sent events and WebSocket."""
