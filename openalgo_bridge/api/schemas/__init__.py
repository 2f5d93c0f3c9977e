"""The only place that knows the dialect's spelling of a request, and says that of an answer: one module per noun."""
