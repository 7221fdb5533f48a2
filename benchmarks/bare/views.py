"""What the console's answers are compared with: the least that a Django view does that asks the database."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path


def select_one(request: HttpRequest) -> HttpResponse:
    """`SELECT 1`, through Django's pool."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        (one,) = cursor.fetchone()
    return HttpResponse(str(one))


def healthz(request: HttpRequest) -> HttpResponse:
    """It answers."""
    return HttpResponse("ok")


urlpatterns = [path("", select_one), path("healthz", healthz)]
