"""The gateway contract kit: what any gateway before the console must do, checked from outside."""
