"""The vendors of data: one module each, with a `provider`. `registry.load` finds them."""
