"""How a payment is accepted: the request, reference data, one commit for many."""
