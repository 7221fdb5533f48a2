"""A style sheet keeps the rules that something on a page can match."""

from __future__ import annotations

import pytest

from tokenplan.style_sheets import classes_of, pruned

USED = {"btn", "btn-primary", "w-1/2"}


@pytest.mark.parametrize(
    ("sheet", "kept"),
    [
        (".btn{color:red}.alert{color:blue}", ".btn{color:red}"),
        (".btn,.alert,a:hover{color:red}", ".btn,a:hover{color:red}"),
        (".btn .alert{color:red}.btn.btn-primary{top:0}", ".btn.btn-primary{top:0}"),
        (".btn:not(.alert):is(.x,.y:hover)>a{top:0}", ".btn:not(.alert):is(.x,.y:hover)>a{top:0}"),
        ('[class*=".alert"]{top:0}', '[class*=".alert"]{top:0}'),
        ("h1,#main,:root{--x:1px}", "h1,#main,:root{--x:1px}"),
        (r".w-1\/2{width:50%}.w-1\/3{width:33%}", r".w-1\/2{width:50%}"),
        (
            "@media (min-width:1px){.alert{top:0}}@media print{.btn{top:0}.alert{top:1px}}",
            "@media print{.btn{top:0}}",
        ),
        ("@keyframes x{from{top:0}to{top:1px}}.alert{top:0}", "@keyframes x{from{top:0}to{top:1px}}"),
        (
            '@charset "UTF-8";/*! .alert{ */.btn{content:"}{;"}.alert{content:\'}\'}',
            '@charset "UTF-8";.btn{content:"}{;"}',
        ),
        (".btn{background:url(\"data:image/svg+xml,%3csvg style='a:b;c:d'%3e\")}.alert{}", None),
    ],
)
def test_rules_of_classes_that_nobody_uses_are_left_out(sheet: str, kept: str | None) -> None:
    assert pruned(sheet, USED) == (sheet.removesuffix(".alert{}") if kept is None else kept)


def test_what_is_in_brackets_is_no_demand() -> None:
    assert classes_of(".a .b:not(.c:is(.d))[x='.e']::before") == {"a", "b"}
