"""Django's WSGI application, for `runserver`. The web server calls `asgi`, which calls Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenplan.settings")

application = get_wsgi_application()
