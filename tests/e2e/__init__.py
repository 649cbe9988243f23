"""The whole way of a payment, over HTTP, with every process running."""
