"""Where events are written down: one file for each place."""
