"""The networks of each task; modules only, no losses."""
