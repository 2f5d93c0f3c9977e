"""The only place that knows the dialect's spelling of a request: one module per noun."""
