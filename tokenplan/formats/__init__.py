"""How dates and numbers look in each language; Django looks its modules up by name."""
