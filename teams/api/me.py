"""/me: the person who asks, and their access tokens."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teams.api.serializers import MeSerializer, NewTokenSerializer, ShownTokenSerializer, TokenSerializer
from teams.api.views import PersonView
from teams.errors import ReauthenticationRequired
from teams.services import access_tokens, accounts
from tokenplan.kit.api import checked, checked_change
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals


class Me(PersonView):
    @extend_schema(responses=MeSerializer, summary="The person who asks")
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(self.person).data)

    @extend_schema(
        request=MeSerializer,
        responses=MeSerializer,
        summary="Change your own name, time zone or language",
        description="What is left out stays.",
    )
    def patch(self, request: Request) -> Response:
        body = checked_change(MeSerializer, request)
        return Response(MeSerializer(accounts.set_profile(user=self.person, **body)).data)


class Tokens(PersonView):
    # A leaked token must not outlive itself by making others.
    proof = frozenset({"POST"})

    @extend_schema(responses=TokenSerializer(many=True), summary="Your access tokens that work", filters=True)
    def get(self, request: Request) -> Response:
        return self.page(self.person.access_tokens.live(timezone.now()), TokenSerializer)

    @extend_schema(
        request=NewTokenSerializer,
        responses={201: ShownTokenSerializer, **refusals(ReauthenticationRequired)},
        summary="Make an access token",
        description="For a signed-in person who confirmed minutes ago to be the one; never for an "
        "access token.",
    )
    def post(self, request: Request) -> Response:
        body = checked(NewTokenSerializer, request)
        token, text = access_tokens.create(user=self.person, by=self.person, at=timezone.now(), **body)
        return Response({**TokenSerializer(token).data, "token": text}, status=201)


class Token(PersonView):
    @extend_schema(responses={204: None}, summary="Revoke an access token")
    def delete(self, request: Request, pk: int) -> Response:
        token = self.person.access_tokens.filter(pk=pk).first()
        if token is None:
            raise NotFound(_("This token does not exist."))
        access_tokens.revoke(token=token, by=self.person, at=timezone.now())
        return Response(status=204)
