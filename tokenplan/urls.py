"""Every address of the site. Each app brings its own, and no two of them match the same path."""

from allauth.account import urls as sign_in_library
from django.contrib import admin
from django.urls import include, path
from django.utils.translation import gettext_lazy as _

from quota.api.urls import tracker_patterns
from teams.views.proof import needs_proof
from tokenplan import pages
from tokenplan.documents import views as documents
from tokenplan.kit import problems

admin.site.site_header = _("Token Plan, operators' pages")
admin.site.site_title = "Token Plan"
admin.site.index_title = _("All records")
admin.site.login = pages.sign_in_of_operators  # type: ignore[assignment]
admin.site.password_change = pages.password_of_operators  # type: ignore[assignment]

# Addresses of the sign-in library that need a recent proof. It would let in whoever has no password.
PROVED = {
    "account_email": needs_proof("POST"),
    "account_set_password": needs_proof("GET", "POST"),
}
for pattern in sign_in_library.urlpatterns:
    if pattern.name in PROVED:
        pattern.callback = PROVED[pattern.name](pattern.callback)

handler400 = problems.bad_request
handler403 = pages.permission_denied
handler404 = problems.not_found
handler500 = pages.server_error

urlpatterns = [
    # Addresses are tried in this order, and those of gateways are the busy ones.
    path("api/v1/", include("quota.api.urls")),
    path("", pages.home, name="home"),
    path("faq/", documents.faq, name="faq"),
    path("docs/", documents.docs, name="docs"),
    path("docs/found/", documents.found, name="docs-found"),
    path("docs/<str:page>/", documents.page, name="docs-page"),
    path("", include("billing.urls")),
    path("", include("quota.urls")),
    path("", include("teams.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include(sign_in_library)),
    path("api/v1/", include("billing.api.urls")),
    path("api/v1/", include("teams.api.urls")),
    path("", include(tracker_patterns)),
    path("api/schema/", pages.Schema.as_view(), name="schema"),
    path("api/docs/", pages.ApiDocs.as_view(url_name="schema"), name="api-docs"),
]
