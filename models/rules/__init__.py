"""What may happen to a payment and to money: values in, values out, standard library only."""
