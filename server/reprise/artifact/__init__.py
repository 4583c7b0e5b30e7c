"""Where artifacts lie: local views, content digests, presence. One contract; local files and object stores behind it."""
