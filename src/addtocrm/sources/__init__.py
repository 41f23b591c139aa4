"""Where data comes from: the contract of a provider, the registry, the waterfall."""
