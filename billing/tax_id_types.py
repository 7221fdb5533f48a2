"""What Stripe calls the tax id of a company in a country. Pure.

The source is Stripe's list of tax id types (docs.stripe.com/billing/customer/tax-ids). A country may have
several; here is the one that companies put on invoices.
"""

from __future__ import annotations

EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
TYPES = dict.fromkeys(EU.split(), "eu_vat") | {
    "AE": "ae_trn",
    "AR": "ar_cuit",
    "AU": "au_abn",
    "BR": "br_cnpj",
    "CA": "ca_bn",
    "CH": "ch_vat",
    "CL": "cl_tin",
    "CN": "cn_tin",
    "CO": "co_nit",
    "GB": "gb_vat",
    "HK": "hk_br",
    "ID": "id_npwp",
    "IL": "il_vat",
    "IN": "in_gst",
    "IS": "is_vat",
    "JP": "jp_trn",
    "KR": "kr_brn",
    "LI": "li_uid",
    "MX": "mx_rfc",
    "MY": "my_itn",
    "NO": "no_vat",
    "NZ": "nz_gst",
    "PH": "ph_tin",
    "SA": "sa_vat",
    "SG": "sg_uen",
    "TH": "th_vat",
    "TR": "tr_tin",
    "TW": "tw_vat",
    "UA": "ua_vat",
    "US": "us_ein",
    "VN": "vn_tin",
    "ZA": "za_vat",
}


def tax_id_type(country: str) -> str:
    """The type for a country (ISO 3166-1, two letters); "" where we know none."""
    return TYPES.get(country, "")
