"""Speed, as ratios of one run: `make bench`, or `python -m bench P1 P8` for some of the figures."""
