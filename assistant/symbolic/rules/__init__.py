"""The rules by which pieces are composed: harmony, melody, drums, form, and one style a genre."""
