"""Token Plan before a LiteLLM proxy. What LiteLLM's config.yaml names is in `proxy`."""
