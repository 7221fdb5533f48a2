"""What API gateways call: authorize before a model call, settle or release after it, or report in bulk."""
