"""What Redis keeps for us, each with a twin that keeps nothing."""
