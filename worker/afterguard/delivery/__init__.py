"""Pure rules of delivery: ledger, order per key, token budget, retry schedule, fates balance."""
