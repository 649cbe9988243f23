"""The Celery workers: posting of payments, payouts, webhooks, mail, and the commands for ops."""
