"""What engines offer, for those that can tell: `offer` says what that is, and each other module asks one engine."""
