"""The one account: password, API key, sign-in, first set-up. Knows nothing of HTTP."""
