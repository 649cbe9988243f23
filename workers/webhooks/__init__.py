"""Sending webhooks: the dispatcher claims due deliveries and records outcomes, the sender makes the calls."""
