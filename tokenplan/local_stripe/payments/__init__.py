"""How money moves: payment methods, payment intents and their charges, refunds, disputes."""
