"""The OpenAlgo dialect over HTTP. ``README.md`` beside this file lists every endpoint."""
