"""One module for each kind of value that changes at the border; importing one registers it in compat.crossing."""
