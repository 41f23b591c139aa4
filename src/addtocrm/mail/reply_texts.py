"""What mail servers say, as data: patterns over a reply's text in lower case, addresses taken out.

Sources: RFC 3463 and RFC 5321 §4.2, the manuals of Postfix, Exim, Sendmail and Exchange, and the postmaster
pages of Google, Microsoft, Yahoo, Deutsche Telekom, Proofpoint and Mimecast.
"""

TLS_REQUIRED = (
    r"must issue (a )?starttls",
    r"starttls (is )?(required|first|needed)",
    r"(require|requires|required|must use|needs?|only accept\w*) (a )?(secure|encrypted|tls|ssl|starttls)",
    r"(tls|ssl|encryption|secure connection) (is )?(required|needed|mandatory)",
    r"(without|not using) (tls|ssl|encryption)",
)

GREYLISTED = (
    r"gr[ea]y[- ]?list",
    r"postgrey",
    r"not yet authori[sz]ed to deliver",
    r"first time (sender|we|that|seen)",
    r"(please )?(re)?try (again )?(later )?(in|after) \d+ ?(s|sec|min|m|h)",
    r"delayed for \d+",
    r"come back (later|in)",
    r"temporarily deferred.*(try|retry) (again )?in",
)

BLOCKED = (
    r"\b(black|block|deny|drop|reject|bad)[- _]?list",
    r"\b(dns|uri|su)?rbls?\b",
    r"\bdnsbl",
    r"spamhaus|spamcop|barracudacentral|sorbs|senderbase|uceprotect|cloudmark|abusix|invaluement|mailspike",
    r"\b(blocked|banned)\b|ipcheck",
    r"(block|ban|refus|reject|deny|denied|accept)\w* .{0,40}\bfrom (your|this|the) (ip|host|server|network|address)",
    r"\byour (ip|host|server|network|isp|mail ?server|domain|connection|client|provider|name ?server)",
    r"\b(client|remote|connecting|sending|source) (host|ip|server|address|mta|system)",
    r"\bip(v[46])? ?(address)?[ =:\[(]+[0-9a-f]{1,4}[.:]",
    r"reverse[- ]?(dns|host|lookup|name|mapping)|\brdns\b|\bptr\b",
    r"reputation",
    r"\bspam|unsolicited|\bub[ec]\b|\bbulk\b|suspicious|malicious|abus(e|ive)",
    r"\b(helo|ehlo)\b",
    r"\b(spf|dkim|dmarc|arc)\b",
    r"\bsenders?\b|return[- ]path|mail from|envelope[- ]from|null (reverse|return)|bounce messages?",
    r"callback|call-?out|address (harvest|prob)|directory harvest|dictionary attack",
    r"dynamic (ip|address|pool|host)|residential|dial-?up",
    r"not (accept|accepting|allow)\w* (mail|e-?mail|messages?|connections?) from",
    r"unusual (rate|sending|activity)|user complaints|volume of (mail|e-?mail|messages)",
    r"\bs3(140|150)\b|\bs77\d\b|\b(tss|ts)0\d\b|\(bl\d*\)|\(nowl\)",
)

MAILBOX_FULL = (
    r"(mailbox|inbox|account|folder|storage)('s)? .{0,40}\b(full|over ?quota|exceed\w*)",
    r"(user|recipient)('s)? .{0,40}\b(full|over ?quota)",
    r"\b(over|exceed\w*|above|out of|beyond) .{0,30}(quota|storage|mailbox size|disk space)",
    r"\b(quota|storage|mailbox size) .{0,30}(exceed|full|reached|over)",
    r"overquota|mailfolder is full|not enough (storage|disk) space .{0,20}mailbox",
    r"insufficient (mailbox|disk quota)",
)

DISABLED = (
    r"(mailbox|account|user|recipient|address|e-?mail)\b.{0,40}\b(disabled?|suspended|inactive|deactivated|locked"
    r"|expired|closed|terminated|cancell?ed|discontinued|frozen|not active|no longer (active|in use|available))",
    r"\b(disabled|suspended|inactive|deactivated|expired|closed) (mailbox|account|user|recipient|address)",
)

NO_SUCH_USER = (
    r"\b(no such|unknown|invalid|non-?existent|bad|wrong|undeliverable|unrouteable|unroutable|nonexisting) "
    r"(local )?(user|recipient|mailbox|address|account|person|e-?mail|customer|destination|virtual|local)",
    r"\b(user|recipient|mailbox|address|account|addressee|customer|person|destination|e-?mail)\b.{0,60}"
    r"\b(unknown|not (be )?found|not exist|n'?t exist|not known|invalid|non-?existent|not valid|not listed"
    r"|not a valid|no longer (exists?|valid|here|employed|with)|unavailable|undeliverable|does ?n[o']t have"
    r"|not recogni[sz]ed|not present)",
    r"\b(do(es)?|is|did|has|have) ?(not|n't) (exist|have an?|a known|a valid|known|find|contain)",
    r"no (mailbox|user|account|recipient|such person|one|body) (here|by that|with that|of that|named|found|at this)",
    r"(there is )?no(body)? (one )?(here )?(at|by|with) (this|that) (address|name)",
    r"\bnot (our|a) (customer|user|known user|local user)",
    r"recipient ?notfound|recipnotfound|nosuchuser|user ?unknown|unknown ?user|unknown in .{0,40}(table|directory)",
    r"not in (the |our )?(directory|address book|user list)",
    r"(can ?not|can't|couldn't|could not|unable to) .{0,20}(find|verify|locate) .{0,30}(user|recipient|mailbox|account)",
    r"no longer (accepts?|on|at) (mail|this server|this address)",
    r"unbekannt|existiert nicht|inconnu|n'existe pas|no existe|desconocid|sconosciut|onbekend|nie istnieje"
    r"|не существует|не найден",
)

POLICY = (
    r"polic(y|ies)",
    r"relay|rcpthosts",
    r"not (permitted|allowed|authori[sz]ed)|unauthori[sz]ed|permission|prohibit|forbidden|restrict",
    r"access denied|denied by|administrativ",
    r"authenticat(e|ion|ed)",
    r"too many|rate[- ]?limit|throttl|limit (exceeded|reached)|exceeded .{0,30}(rate|limit|number|connections)",
)
