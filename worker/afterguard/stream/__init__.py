"""From the log to the flow and back: intake, publish, dead letters, settle."""
