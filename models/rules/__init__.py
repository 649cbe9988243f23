"""Rules of payments and money: values in, values out, standard library only."""
