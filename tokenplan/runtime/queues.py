"""Which tasks wait behind each other, and which never do: each worker serves one kind."""

# The name of a worker, and its tasks. Each task has a queue of its own, which bears its name.
WORKERS: dict[str, tuple[str, ...]] = {
    # And whatever says that a sweep is not done, which must not wait behind one.
    "mail": ("teams.deliver_mail", "quota.watch_reconcile"),
    # All that asks Stripe, which may be slow or away.
    "payments": ("billing.work_inbox", "billing.top_up", "billing.finish", "billing.reconcile"),
    "sweeps": (
        "quota.send_notices",
        "quota.expire_reservations",
        "quota.expire_lots",
        "quota.close_windows",
        "quota.forget_refusals",
        "quota.roll_up_usage",
        "quota.keep_partitions",
        "quota.work_bulk_actions",
        "quota.reconcile",
    ),
}
QUEUES = tuple(task for tasks in WORKERS.values() for task in tasks)
