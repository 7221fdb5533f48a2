"""The pages about people and Teams."""

from django.urls import path

from teams.views import (
    access_tokens,
    keys,
    language,
    members,
    moments,
    passkeys,
    profile,
    proof,
    security,
    teams,
    totp,
)

TEAM = "teams/<slug:slug>"
PASSKEYS = "account/passkeys"

urlpatterns = [
    path(
        "accounts/reauthenticate/code/",
        proof.ConfirmByCode.as_view(),
        name="account_reauthenticate_by_code",
    ),
    path("accounts/reauthenticate/app/", totp.confirm, name="mfa_reauthenticate"),
    path("accounts/reauthenticate/passkey/", passkeys.confirm, name="mfa_reauthenticate_webauthn"),
    path("accounts/passkey/", passkeys.sign_in, name="mfa_login_webauthn"),
    path("accounts/second-factor/", passkeys.second_factor, name="mfa_authenticate"),
    path("account/security/", security.security, name="mfa_index"),
    path("account/authenticator-app/add/", totp.add, name="mfa_activate_totp"),
    path("account/authenticator-app/remove/", totp.remove, name="mfa_deactivate_totp"),
    path("account/sessions/<int:pk>/end/", security.end, name="account-session-end"),
    path("account/sessions/end-others/", security.end_others, name="account-sessions-end-others"),
    path(f"{PASSKEYS}/add/", passkeys.add, name="mfa_add_webauthn"),
    path(f"{PASSKEYS}/<int:pk>/rename/", passkeys.rename, name="mfa_edit_webauthn"),
    path(f"{PASSKEYS}/<int:pk>/remove/", passkeys.remove, name="mfa_remove_webauthn"),
    path(f"{PASSKEYS}/recovery-codes/", passkeys.codes, name="mfa_view_recovery_codes"),
    path(f"{PASSKEYS}/recovery-codes/file/", passkeys.codes_file, name="mfa_download_recovery_codes"),
    path(f"{PASSKEYS}/recovery-codes/new/", passkeys.new_codes, name="mfa_generate_recovery_codes"),
    path("language/", language.switch, name="language"),
    path("moments/", moments.moments, name="moments"),
    path("account/profile/", profile.profile, name="account-profile"),
    path("account/tokens/", access_tokens.tokens, name="account-tokens"),
    path("account/tokens/file/", access_tokens.tokens_csv, name="account-tokens-csv"),
    path("account/tokens/<int:pk>/revoke/", access_tokens.revoke, name="account-token-revoke"),
    path("account/keys/<slug:slug>/", keys.key, name="account-key"),
    path("account/keys/<slug:slug>/rotate/", keys.rotate, name="account-key-rotate"),
    path("account/keys/<slug:slug>/revoke/", keys.revoke, name="account-key-revoke"),
    path("new-team/", teams.new, name="team-new"),
    path(f"{TEAM}/settings/", teams.settings, name="team-settings"),
    path(f"{TEAM}/leave/", teams.leave, name="team-leave"),
    path(f"{TEAM}/members/<int:pk>/role/", members.change_role, name="team-member-role"),
    path(f"{TEAM}/members/<int:pk>/billing-right/", members.billing_right, name="team-member-billing"),
    path(f"{TEAM}/members/<int:pk>/remove/", members.remove, name="team-member-remove"),
    path(f"{TEAM}/members/<int:pk>/revoke-key/", members.revoke_key, name="team-member-revoke-key"),
    path(f"{TEAM}/members/<int:pk>/transfer/", members.transfer, name="team-transfer"),
]
