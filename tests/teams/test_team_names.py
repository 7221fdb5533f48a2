"""A Default Team has the name that its owner gave it, and until then one in the reader's language."""

from __future__ import annotations

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.utils.translation import override

from billing.selectors.audit import lines_of
from teams.models import AuditEntry, Mail
from teams.services import mail
from teams.services.teams import rename_team
from teams.team_names import first_names
from tests.helpers.factories import T0, make_team, make_user
from tests.helpers.reading import words

pytestmark = pytest.mark.django_db


def test_it_has_a_first_name_in_each_language() -> None:
    assert first_names() == {"Default Team", "个人团队"}


def test_pages_say_it_in_the_readers_language_until_it_has_another_name(client: Client) -> None:
    mia = make_user("mia@example.com")
    team = mia.default_team
    client.force_login(mia)

    def shown(language: str) -> bool:
        return team.display_name in words(client.get("/account/", headers={"accept-language": language}))

    assert team.name == "Default Team"
    for language, name in {"en": "Personal", "zh-hans": "个人团队"}.items():
        with override(language):
            assert team.display_name == name
            assert shown(language)

    with override("zh-hans"):  # its form shows that name, and saving it is no other one
        assert rename_team(team=team, name="个人团队", by=mia, at=T0).name == "Default Team"
    team = rename_team(team=team, name="Mia's own", by=mia, at=T0)
    with override("zh-hans"):
        assert team.display_name == "Mia's own"
        assert shown("zh-hans")


def test_a_mail_says_it_in_its_readers_language(mailoutbox: list[EmailMessage]) -> None:
    own, of_several = make_user("mia@example.com").default_team, make_team("Default Team")
    for team, language in ((own, "zh-hans"), (own, "en"), (of_several, "zh-hans")):
        mail.queue(
            kind="member_removed",
            to="mia@example.com",
            context={"team": team.kept_name},
            dedupe_key=f"{team.pk} {language}",
            at=T0,
            language=language,
        )
    assert mail.deliver_due(at=T0) == 3

    names = ["个人团队", "Personal", "Default Team"]
    for name, sent in zip(names, mailoutbox, strict=True):
        assert name in sent.subject
        assert name in sent.body
    with override("zh-hans"):  # whoever reads the list of mails reads it in theirs
        assert "个人团队" in mail.subject_of(Mail.objects.order_by("pk")[1])


def test_the_audit_says_it_in_its_readers_language() -> None:
    mia = make_user("mia@example.com")
    rename_team(team=mia.default_team, name="Mia's own", by=mia, at=T0)
    named = make_team("Default Team")

    entries = AuditEntry.objects.filter(action__startswith="team.").order_by("pk")
    with override("zh-hans"):
        said = [
            (line.subject, line.text)
            for team in (mia.default_team, named)
            for line in lines_of(entries.filter(team=team))
        ]

    assert [subject for subject, _text in said] == ["个人团队", "Mia's own", "Default Team"]
    assert ["个人团队" in text for _subject, text in said] == [True, True, False]


def test_a_team_of_several_keeps_its_name_whatever_it_is() -> None:
    team = make_team("Default Team")
    with override("zh-hans"):
        assert team.display_name == "Default Team"
