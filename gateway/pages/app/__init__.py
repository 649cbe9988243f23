"""The pages below /app, for merchants and clients."""
