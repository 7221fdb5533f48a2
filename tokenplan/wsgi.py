"""The WSGI application the web server calls."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenplan.settings")

application = get_wsgi_application()
