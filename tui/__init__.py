"""The terminal app: a viewer of what `assistant` does."""
