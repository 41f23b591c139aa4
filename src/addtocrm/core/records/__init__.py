"""The objects of the contract: a person, a company, and their parts."""
