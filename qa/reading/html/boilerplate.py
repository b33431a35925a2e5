"""Which parts of a web page are not what it is about: told by tags, roles, names and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Count",
    "announces",
    "is_agreement",
    "is_cookie_notice",
    "is_furniture",
    "is_hidden",
    "is_left_out",
    "is_named_main",
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
    r"^\W*(?:i |alle? |all |only |yes,? ?)?(?:accept|agree|allow|reject|decline|got it|ok|okay"
    r"|manage|preferences|settings|akzeptier|zustimm|ablehn|accepter|refuser|aceptar|rechazar|accetta|rifiuta|aceitar|accepteren)",
    re.IGNORECASE,
)
_NOTICES = frozenset("div section aside form footer header".split())
_MAX_NOTICE = 1500  # characters
_MENUS = frozenset("ul ol menu div section table tr td p dl aside header center".split())
# Of a menu: how many links it has, what share of its text is in them, and how many characters
# each has at most, on average.
_MIN_LINKS, _MENU_LINKED, _MENU_LINK = 3, 0.75, 30
_SHORT_FORM = 300  # characters: a form with less to read is a search, a log-in, a subscription


@dataclass(slots=True)
class Count:
    """What was met so far, of that which was kept."""

    characters: int = 0
    linked: int = 0  # characters in links
    links: int = 0
    controls: int = 0  # buttons and fields
    agreements: int = 0  # buttons and links that say what one clicks in a cookie notice
    titles: int = 0  # headings of the first level

    def copy(self) -> Count:
        """The same count, to be compared with later."""
        return Count(
            self.characters, self.linked, self.links, self.controls, self.agreements, self.titles
        )

    def since(self, before: Count) -> Count:
        """What came in addition."""
        return Count(
            self.characters - before.characters,
            self.linked - before.linked,
            self.links - before.links,
            self.controls - before.controls,
            self.agreements - before.agreements,
            self.titles - before.titles,
        )


def is_hidden(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """Whether a browser would not show an element, or it holds no text to read."""
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
    """Whether an element says itself that it leads elsewhere, or only waits to be opened."""
    return tag == "nav" or attributes.get("role") in _FURNITURE_ROLES


def is_furniture(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element's name says that it is about the site, whatever stands in it."""
    return not _FURNITURE.isdisjoint(_names(attributes))


def is_named_main(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element's id says that it is the page's main part."""
    return (attributes.get("id") or "").lower() in _MAIN


def announces(text: str) -> bool:
    """Whether a text says that what follows belongs to it, be it only links."""
    return text.endswith((":", "："))


def is_left_out(
    tag: str,
    attributes: Mapping[str, str | None],
    held: Count,
    *,
    before: str,
    protected: bool,
    has_main: bool,
) -> bool:
    """Whether an element is furniture, by what it holds.

    Args:
        tag: of the element.
        attributes: of the element.
        held: what is in it.
        before: the text of the block before it.
        protected: it stands in the main part of the page, or in an article.
        has_main: the page marks a main part, or an article.
    """
    if held.titles:
        return False
    names = _names(attributes) if attributes else set()
    role = attributes.get("role")
    if not _MOSTLY_LINKS.isdisjoint(names) and held.linked >= held.characters / 2:
        return True
    if tag == "form":
        return held.controls > 0 and held.characters < _SHORT_FORM
    is_aside = tag == "aside" or role == "complementary"
    if protected:
        return is_aside and held.linked >= held.characters / 2
    is_header = tag == "header" or role == "banner"
    return (
        tag == "footer"
        or role == "contentinfo"
        or not _FOOTERS.isdisjoint(names)
        or (is_aside and (has_main or held.controls > 0 or held.linked >= held.characters / 3))
        or (is_header and held.links + held.controls > 0)
        or (tag in _MENUS and _is_menu(held) and not announces(before))
    )


def _is_menu(held: Count) -> bool:
    """Whether text is a menu: three or more links, short ones, and little else."""
    mostly = held.linked >= _MENU_LINKED * held.characters
    return held.links >= _MIN_LINKS and mostly and held.linked <= _MENU_LINK * held.links


def is_agreement(text: str) -> bool:
    """Whether the text of a link or button is what one clicks in a cookie notice."""
    return len(text) < 2 * _MENU_LINK and _AGREE.search(text) is not None


def is_cookie_notice(
    tag: str, attributes: Mapping[str, str | None], held: Count, texts: Iterable[str]
) -> bool:
    """Whether an element asks for consent to cookies; `texts` are those in it."""
    if tag not in _NOTICES or held.titles or not 0 < held.characters <= _MAX_NOTICE:
        return False
    names = f"{attributes.get('id') or ''} {attributes.get('class') or ''}"
    if _VENDORS.search(names):
        return True
    if not any(map(_ABOUT_COOKIES.search, texts)):
        return False
    if _COOKIES.search(names):
        of_notice = _NOTICE.search(_COOKIES.sub(" ", names, count=1))
        return held.controls > 0 or of_notice is not None
    return held.agreements > 0 and held.characters < _MAX_NOTICE / 2
