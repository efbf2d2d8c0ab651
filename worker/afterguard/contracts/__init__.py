"""The words of the product as data: events, policies, verdicts, interventions, dead letters.

Nothing here has a clock, a socket or a process; every other room may import it.
"""
