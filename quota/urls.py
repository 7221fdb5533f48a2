"""The pages of quota, below the site's root."""

from django.urls import path

from quota.views import account, credits, keys, members, receipts, seat_requests, seats, team_usage, teams

TEAM = "teams/<slug:slug>"

urlpatterns = [
    path("account/", account.account, name="account"),
    path("account/bars/<slug:slug>/", account.bar, name="account-bar"),
    path("account/seat-requests/<slug:slug>/", account.seat_request, name="account-seat-request"),
    path("account/keys/<slug:slug>/", keys.key, name="account-key"),
    path("account/keys/<slug:slug>/rotate/", keys.rotate, name="account-key-rotate"),
    path("account/keys/<slug:slug>/revoke/", keys.revoke, name="account-key-revoke"),
    path("account/usage/<slug:slug>/", receipts.own_charges, name="account-usage"),
    path("account/usage/<slug:slug>/<uuid:pk>/", receipts.own_receipt, name="account-receipt"),
    path("invitations/<str:token>/", teams.join, name="join"),
    # Ahead of a Team's slug: no Team is called "new".
    path("teams/new/", teams.new, name="team-new"),
    path(f"{TEAM}/", teams.overview, name="team"),
    path(f"{TEAM}/settings/", teams.settings, name="team-settings"),
    path(f"{TEAM}/leave/", members.leave, name="team-leave"),
    path(f"{TEAM}/members/", members.team_members, name="team-members"),
    path(f"{TEAM}/members/<int:pk>/role/", members.change_role, name="team-member-role"),
    path(f"{TEAM}/members/<int:pk>/remove/", members.remove, name="team-member-remove"),
    path(f"{TEAM}/members/<int:pk>/revoke-key/", members.revoke_key, name="team-member-revoke-key"),
    path(f"{TEAM}/members/<int:pk>/transfer/", members.transfer, name="team-transfer"),
    path(f"{TEAM}/seats/", seats.team_seats, name="team-seats"),
    path(f"{TEAM}/seats/<int:pk>/", seats.seat, name="team-seat"),
    path(f"{TEAM}/seats/<int:pk>/assign/", seats.assign, name="team-seat-assign"),
    path(f"{TEAM}/seats/<int:pk>/free/", seats.free, name="team-seat-free"),
    path(f"{TEAM}/requests/", seat_requests.seat_requests, name="team-requests"),
    path(f"{TEAM}/requests/<int:pk>/", seat_requests.answer, name="team-request-answer"),
    path(f"{TEAM}/credits/", credits.overview, name="team-credits"),
    path(f"{TEAM}/credits/policy/", credits.policy, name="team-credits-policy"),
    path(f"{TEAM}/credits/access/<int:pk>/", credits.access, name="team-credits-access"),
    path(f"{TEAM}/usage/", team_usage.team_usage, name="team-usage"),
    path(f"{TEAM}/charges/", receipts.team_charges, name="team-charges"),
    path(f"{TEAM}/charges/<uuid:pk>/", receipts.team_receipt, name="team-receipt"),
]
