"""What people open in a browser: checkout, the bank's question, invoice, portal, and the front page."""
