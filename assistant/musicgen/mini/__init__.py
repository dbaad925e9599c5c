"""`mini`, the model that comes with the package, and how it is made."""
