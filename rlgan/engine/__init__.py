"""Who computes: this process alone, or actors on Ray, with the same result."""
