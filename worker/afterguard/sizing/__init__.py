"""How many GPUs a stream needs, and what that rests on; never imported by the running worker."""
