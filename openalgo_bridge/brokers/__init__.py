"""Where orders are carried out. ``base`` is the promise, one folder per broker keeps it."""
