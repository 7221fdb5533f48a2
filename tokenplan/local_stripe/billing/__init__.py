"""What is sold and billed: prices, customers, discounts, subscriptions and invoices, and how time moves
them.
"""
