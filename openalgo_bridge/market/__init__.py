"""Where prices come from when no live broker is connected."""
