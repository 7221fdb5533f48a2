"""Addresses of the ground floor, under /api/v1/.

TeamList, TeamDetail and MemberDetail are mounted by the floors above, which extend them.
"""

from __future__ import annotations

from django.urls import path

from teams.api import invitations, me, teams

urlpatterns = [
    path("me", me.Me.as_view(), name="api-me"),
    path("me/tokens", me.Tokens.as_view(), name="api-tokens"),
    path("me/tokens/<int:pk>", me.Token.as_view(), name="api-token"),
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
    path("teams/<slug:slug>/audit", teams.Audit.as_view(), name="api-audit"),
]
