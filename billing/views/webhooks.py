"""Where Stripe sends its events."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import stripe_api
from billing.services import inbox
from billing.tasks import work_inbox
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.problems import problem_of


@csrf_exempt
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """Keeps an event that Stripe signed, once, and answers before anything is done about it.

    Mode and API version of the event do not matter: it only says which object to sync, and that is fetched
    from the account of our own key, in our own version. An object of the other mode is not there.
    """
    try:
        event = stripe_api.event(request.body, request.headers.get("Stripe-Signature", ""))
        inbox.receive(event=event, payload=json.loads(request.body), at=timezone.now())
    except Exception as error:  # answered as the API answers; Stripe sends again what is not answered by 200
        return problem_of(error).response()
    enqueue(work_inbox)  # also for one that we have: the message before may have been lost
    return JsonResponse({"received": True})
