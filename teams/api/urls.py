"""The API about people and Teams, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from teams.api import invitations, keys, me, teams

urlpatterns = [
    path("me", me.Me.as_view(), name="api-me"),
    path("me/tokens", me.Tokens.as_view(), name="api-tokens"),
    path("me/tokens/<int:pk>", me.Token.as_view(), name="api-token"),
    path("teams", teams.TeamList.as_view(), name="api-teams"),
    path("teams/<slug:slug>/leave", teams.Leave.as_view(), name="api-leave"),
    path("teams/<slug:slug>/transfer", teams.Transfer.as_view(), name="api-transfer"),
    path("teams/<slug:slug>/invitations", invitations.InvitationList.as_view(), name="api-invitations"),
    path(
        "teams/<slug:slug>/invitations/<uuid:pk>",
        invitations.InvitationDetail.as_view(),
        name="api-invitation",
    ),
    path(
        "teams/<slug:slug>/invitations/<uuid:pk>/resend",
        invitations.InvitationResend.as_view(),
        name="api-invitation-resend",
    ),
    path("teams/<slug:slug>/members/<int:pk>/key", keys.MemberKey.as_view(), name="api-member-key"),
    path("teams/<slug:slug>/key", keys.OwnKey.as_view(), name="api-key"),
    path("teams/<slug:slug>/key/reveal", keys.RevealKey.as_view(), name="api-key-reveal"),
    path("teams/<slug:slug>/key/rotate", keys.RotateKey.as_view(), name="api-key-rotate"),
    path("teams/<slug:slug>/audit", teams.Audit.as_view(), name="api-audit"),
]
