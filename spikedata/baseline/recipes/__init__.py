"""Named recipes: a network and how it is trained, from the command line or a file."""
