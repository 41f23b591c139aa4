"""Where data comes from: one vendor, one file. `registry.load` finds them."""
