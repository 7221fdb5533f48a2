"""Addresses of the ground floor, under /api/v1/.

The floor above mounts its subclasses of TeamList, TeamDetail and MemberDetail at the same addresses, before
these.
"""

from __future__ import annotations

from django.urls import path

from teams.api import invitations, me, teams

urlpatterns = [
    path("me", me.Me.as_view(), name="api-me"),
    path("me/tokens", me.Tokens.as_view(), name="api-tokens"),
    path("me/tokens/<int:pk>", me.Token.as_view(), name="api-token"),
    path("teams", teams.TeamList.as_view(), name="api-teams"),
    path("teams/<slug:slug>", teams.TeamDetail.as_view(), name="api-team"),
    path("teams/<slug:slug>/transfer", teams.Transfer.as_view(), name="api-transfer"),
    path("teams/<slug:slug>/members/<int:pk>", teams.MemberDetail.as_view(), name="api-member"),
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
    path("teams/<slug:slug>/audit", teams.Audit.as_view(), name="api-audit"),
]
