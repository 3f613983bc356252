"""The API server's HTTPS side: paths, media types, bodies, streams. Decides nothing about objects."""
