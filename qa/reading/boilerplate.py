"""Which parts of a web page are not what the page is about: told by tags, roles, names and links."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LONGEST_NOTICE",
    "is_agreement",
    "is_cookie_notice",
    "is_furniture",
    "is_hidden",
    "is_menu",
    "is_named_footer",
    "is_named_main",
    "is_named_menu",
    "is_navigation",
]

# Never read: no text of the page, controls, or another rendering of what stands beside it.
_UNREAD = frozenset(
    "script style noscript template iframe object embed applet audio video canvas svg map "
    "select option optgroup datalist button input textarea progress meter dialog "
    "head title meta link base frame noframes rp rt annotation annotation-xml".split()
)
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_FURNITURE_ROLES = frozenset(
    "navigation search dialog alertdialog menu menubar toolbar tablist".split()
)
# Furniture whatever it holds; each a whole name among an element's classes, or its id.
_FURNITURE = frozenset(
    "breadcrumb breadcrumbs skip-link skip-links skiplink skip-to-content sr-only visually-hidden "
    "screen-reader-text pagination pager share-buttons sharing social-links social-share "
    "advertisement advert ads adsbygoogle sponsored newsletter newsletter-signup "
    "headerlink linenos lineno noprint navbox vertical-navbox catlinks printfooter sitesub "
    "mw-editsection mw-jump-link mw-indicators mw-hidden-catlinks".split()
)
# Furniture where it is mostly links.
_MOSTLY_LINKS = frozenset(
    "nav navbar navigation navigation-menu main-nav main-menu site-nav topnav sidenav nav-menu "
    "menu menubar topbar sidebar side-bar toc table-of-contents contents share social related "
    "related-posts related-articles related-stories recommended more-stories trending tags "
    "footer site-footer page-footer bottom header site-header page-header".split()
)
_FOOTERS = frozenset("footer site-footer page-footer".split())
_MAIN = frozenset("main content main-content maincontent main_content mw-content-text".split())
_COOKIES = re.compile(r"cookie|consent|gdpr|privacy", re.IGNORECASE)
_NOTICE = re.compile(
    r"banner|notice|bar\b|popup|modal|overlay|message|alert|dialog|wall|layer|consent|prompt|law",
    re.IGNORECASE,
)
_VENDORS = re.compile(
    r"onetrust|cybotcookiebot|didomi|usercentrics|cookieyes|qc-cmp", re.IGNORECASE
)
_ABOUT_COOKIES = re.compile(r"cookie|куки|クッキー|쿠키", re.IGNORECASE)
_AGREE = re.compile(
    r"^\W*(?:i |alle? |all |only |yes,? ?)?(?:accept|agree|allow|reject|decline|got it|ok|okay|manage|preferences|settings|akzeptier"
    r"|zustimm|ablehn|accepter|refuser|aceptar|rechazar|accetta|rifiuta|aceitar|accepteren)",
    re.IGNORECASE,
)
LONGEST_NOTICE = 1500  # characters
_MENU_LINK = 30  # characters that the text of a link in a menu has at most, on average


def is_hidden(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """Tell whether a browser would not show an element, or it holds no text to read."""
    if tag in _UNREAD:
        return True
    if not attributes:
        return False
    if "hidden" in attributes and attributes["hidden"] != "until-found":
        return True
    if attributes.get("aria-hidden") == "true" and tag != "img":
        return True
    style = attributes.get("style")
    return bool(
        style and _UNSEEN.search(style) and "mwe-math" not in (attributes.get("class") or "")
    )


def _names(attributes: Mapping[str, str | None]) -> set[str]:
    names = set((attributes.get("class") or "").lower().split())
    names.add((attributes.get("id") or "").lower())
    return names


def is_navigation(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """Tell whether an element says itself that it leads elsewhere, or only waits to be opened."""
    return tag == "nav" or attributes.get("role") in _FURNITURE_ROLES


def is_furniture(attributes: Mapping[str, str | None]) -> bool:
    """Tell by its name whether an element is about the site, whatever stands in it."""
    return not _FURNITURE.isdisjoint(_names(attributes))


def is_named_menu(attributes: Mapping[str, str | None]) -> bool:
    """Tell by its name whether an element is about the site, where it is mostly links."""
    return bool(attributes) and not _MOSTLY_LINKS.isdisjoint(_names(attributes))


def is_named_footer(attributes: Mapping[str, str | None]) -> bool:
    """Tell by its name whether an element is the page's foot."""
    return bool(attributes) and not _FOOTERS.isdisjoint(_names(attributes))


def is_named_main(attributes: Mapping[str, str | None]) -> bool:
    """Tell by its id whether an element is the page's main part."""
    return (attributes.get("id") or "").lower() in _MAIN


def is_menu(*, characters: int, linked: int, links: int) -> bool:
    """Tell whether text is a menu: three or more links, short ones, and little else."""
    return links >= 3 and linked >= 0.75 * characters and linked <= _MENU_LINK * links


def is_agreement(text: str) -> bool:
    """Tell whether the text of a link or button is what one clicks in a cookie notice."""
    return len(text) < 2 * _MENU_LINK and _AGREE.search(text) is not None


def is_cookie_notice(
    attributes: Mapping[str, str | None], text: str, *, controls: int, agreements: int
) -> bool:
    """Tell whether an element asks for consent to cookies.

    Args:
        attributes: of the element.
        text: what it says, without its buttons.
        controls: how many buttons and fields are in it.
        agreements: how many buttons and links in it agree or refuse.
    """
    if len(text) > LONGEST_NOTICE:
        return False
    names = f"{attributes.get('id') or ''} {attributes.get('class') or ''}"
    if _VENDORS.search(names):
        return True
    if not _ABOUT_COOKIES.search(text):
        return False
    if _COOKIES.search(names) and (controls or _NOTICE.search(_COOKIES.sub(" ", names, count=1))):
        return True
    return agreements > 0 and len(text) < LONGEST_NOTICE / 2
