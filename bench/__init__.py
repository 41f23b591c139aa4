"""Speed and growth, as ratios of one run: `make bench`, or `python -m bench p1_raw events` for some of the figures."""
