"""Where artifacts lie: local views, content digests, presence. One contract, with the places behind it."""
