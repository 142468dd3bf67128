"""The FastAPI door: what users write at their routes, and everything FastAPI has to be asked or told for it."""
