"""Pages for people: a client of this API, in the same process, that answers with HTML."""
