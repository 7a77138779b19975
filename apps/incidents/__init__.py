"""Something wrong for users: incidents and their timeline."""
