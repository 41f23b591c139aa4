"""Who is the same person, and which company is the same: plain functions, without a database (docs/matching.md).

`names` and `companies` compare what people write, `choose` says who is meant among candidates, `confidence` how sure
that is.
"""
