"""The ground floor's pages, below the site's root."""

from django.urls import path

from teams.views import access_tokens, audit, invitations, profile

urlpatterns = [
    path("account/profile/", profile.profile, name="account-profile"),
    path("account/tokens/", access_tokens.tokens, name="account-tokens"),
    path("account/tokens/<int:pk>/revoke/", access_tokens.revoke, name="account-token-revoke"),
    path("teams/<slug:slug>/invitations/", invitations.invitations, name="team-invitations"),
    path(
        "teams/<slug:slug>/invitations/<uuid:pk>/resend/", invitations.resend, name="team-invitation-resend"
    ),
    path(
        "teams/<slug:slug>/invitations/<uuid:pk>/revoke/", invitations.revoke, name="team-invitation-revoke"
    ),
    path("teams/<slug:slug>/audit/", audit.audit, name="team-audit"),
]
