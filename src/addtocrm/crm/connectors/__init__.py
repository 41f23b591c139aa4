"""The CRMs that can be written to: one module each, with a `connector`."""
