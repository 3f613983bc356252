"""What ``l3conf new-implementation`` writes: a tiny implementation that works, to be replaced part by part."""
