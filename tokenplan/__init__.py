"""The roof: settings, URLs, Celery and the commands that need every floor. Nothing below imports it."""
