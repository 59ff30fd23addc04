"""What `app.api` is made of: declarations, limits, problems, metrics, answers."""
