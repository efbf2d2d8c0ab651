"""How a policy and a hostile content become prompt tokens."""
