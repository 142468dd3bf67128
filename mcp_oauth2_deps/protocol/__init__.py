"""What the RFCs say: pure and synchronous, without clock, network or framework."""
