"""What we remember or ask: asynchronous, with the only caches and the only network of the package."""
