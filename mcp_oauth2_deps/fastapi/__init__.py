"""What users write at their routes, and everything for which FastAPI has to be asked or informed."""
