"""Values and pure rules. Imports the standard library and ``errors`` only."""
