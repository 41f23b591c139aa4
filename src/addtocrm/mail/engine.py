"""Asks whether addresses take mail: syntax, DNS, SMTP, verdict."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from addtocrm.core.networks import is_public
from addtocrm.core.settings import Settings
from addtocrm.mail import dialogue, knowledge
from addtocrm.mail.dialogue import Answers, Caller, Question, Whom
from addtocrm.mail.dns import MailDns
from addtocrm.mail.inquiry import Inquiry, conclude, conclude_invalid, is_open, random_address
from addtocrm.mail.model import Checked
from addtocrm.mail.politeness import HostResting, LocalSlots, Slots
from addtocrm.mail.replies import Reply
from addtocrm.mail.smtp import Deadline
from addtocrm.mail.syntax import Address, parse
from addtocrm.mail.verdict import Outcome

BUDGET_SECONDS = 20.0
DNS_SECONDS = 8.0
RECIPIENTS_PER_CONNECTION = 10
ATTEMPTS = 4
"""Servers tried that bring no answer, over all hosts of a domain."""
ADDRESSES_PER_HOST = 2
FAILURES = 3
"""Addresses at which a server hangs up or falls silent, before it is the server's fault and not theirs."""

REST_SECONDS = 1800.0
"""For how long a host that turned us away is left alone."""
REST_SECONDS_RECIPIENT = 300.0
"""The same where it did so only when it heard the recipient's name."""

NEXT_HOST: frozenset[Outcome] = frozenset(
    ("connection_failed", "timeout", "protocol_error", "temporary", "greylisted", "policy", "tls_required")
)
"""What a host may say before any recipient that makes the next one worth asking; a block does not."""


class Party(Protocol):
    """Those who wait for an inquiry's answers."""

    def waits(self) -> bool:
        """Whether anybody is there who wants to know."""
        ...

    def join(self) -> Sequence[Address]:
        """The addresses that one connection is to serve; nobody comes to it later."""
        ...

    def heard(self) -> None:
        """Called whenever more is known."""
        ...


class Engine:
    """Verifies addresses with our own SMTP dialogue; `slots` shares the politeness limits between workers."""

    def __init__(self, settings: Settings, slots: Slots | None = None) -> None:
        self._dns = MailDns(settings.dns_servers)
        self._caller = Caller(settings.helo, settings.smtp_from, settings.smtp_port, settings.allow_private_networks)
        self._slots: Slots = slots or LocalSlots()

    async def check(
        self, addresses: Sequence[str], *, budget_seconds: float = BUDGET_SECONDS, stop_at_accepted: bool = False
    ) -> list[Checked]:
        """Verifications in the order of `addresses`, each with the seconds after which to ask again, if ever.

        All well-formed addresses must share one domain (ValueError). A greylisting is waited for where the
        budget allows it. `stop_at_accepted` leaves the rest unasked once the server takes one.
        """
        deadline = Deadline(budget_seconds)
        parsed = [parse(text) for text in addresses]
        unique = list({address.email: address for address in parsed if address}.values())
        if len({address.domain for address in unique}) > 1:
            raise ValueError("the addresses must share one domain")
        inquiry = Inquiry(unique[0].domain if unique else "", unique)
        if unique:
            asking = _Asking(self._dns, self._caller, self._slots, inquiry, deadline, stop_at_accepted=stop_at_accepted)
            await asking.run()
            while (wait := inquiry.wait()) is not None and wait < deadline.left() and not asking.satisfied():
                await asyncio.sleep(wait)
                await asking.run()
        return [
            conclude(inquiry, address) if address else conclude_invalid(text)
            for text, address in zip(addresses, parsed, strict=True)
        ]

    async def ask(self, inquiry: Inquiry, deadline: Deadline, party: Party) -> None:
        """Fills `inquiry`, which has no addresses yet, with those of the party once a server has greeted us.

        Waiting for the turn to connect is no part of the deadline. Who is put off by a server is not waited for.
        """
        await _Asking(self._dns, self._caller, self._slots, inquiry, deadline, party).run()


class _Asking:
    """Fills one inquiry within one deadline."""

    def __init__(
        self,
        mail_dns: MailDns,
        caller: Caller,
        slots: Slots,
        inquiry: Inquiry,
        deadline: Deadline,
        party: Party | None = None,
        *,
        stop_at_accepted: bool = False,
    ) -> None:
        self._dns = mail_dns
        self._caller = caller
        self._slots = slots
        self._inquiry = inquiry
        self._deadline = deadline
        self._party = party
        self._stop_at_accepted = stop_at_accepted
        self._random = random_address(inquiry.domain, caller.helo)

    async def run(self) -> None:
        inquiry = self._inquiry
        route = await self._dns.route(inquiry.domain, self._deadline.left(DNS_SECONDS))
        if route.status != "found":
            inquiry.obstacle = route.status
            return
        inquiry.mx_host = route.hosts[0]
        inquiry.provider = knowledge.provider(route.hosts[0])
        if inquiry.provider and not inquiry.provider.ask:
            inquiry.obstacle = "unverifiable_provider"
            return
        await self._ask_hosts(route.hosts)

    async def _ask_hosts(self, hosts: Sequence[str]) -> None:
        """Asks the hosts in turn, until one has spoken of recipients or has turned us away."""
        attempts = 0
        for host in hosts:
            for ip in await self._addresses(host):
                if attempts == ATTEMPTS:
                    return
                attempts += 1
                self._inquiry.mx_host = host
                self._inquiry.obstacle = None
                if await self._ask_host(ip):
                    return

    async def _addresses(self, host: str) -> Sequence[str]:
        """Where the host may be reached; says in the inquiry why it can't be."""
        inquiry = self._inquiry
        found = await self._dns.addresses(host, self._deadline.left(DNS_SECONDS))
        allowed = [ip for ip in found.ips if self._caller.private or is_public(ip)]
        if inquiry.ended is None and not allowed:
            if found.status in ("dns_error", "dns_timeout"):
                inquiry.obstacle = found.status
            elif found.ips:
                inquiry.obstacle = "private_network"
            elif inquiry.obstacle is None:
                inquiry.obstacle = "no_mail_server"
        return allowed[:ADDRESSES_PER_HOST]

    async def _ask_host(self, ip: str) -> bool:
        """Asks one server about all that is open; whether no other server need be asked after that."""
        failed: dict[str, Reply] = {}
        heard_of = await self._talk(ip, failed)
        inquiry = self._inquiry
        if heard_of:
            # The server speaks of others: that it fails at these is their own misfortune.
            inquiry.replies = failed | inquiry.replies
            return True
        turned_away = inquiry.ended is not None and inquiry.ended.outcome not in NEXT_HOST
        return turned_away or inquiry.resting is not None

    async def _talk(self, ip: str, failed: dict[str, Reply]) -> bool:
        """One exchange after another with a server, until it has spoken of all or does not go on; whether it spoke
        of any. At which addresses it failed, although nothing had been asked before, stands in `failed`."""
        inquiry = self._inquiry
        heard_of: set[str] = set()
        together = True

        def todo() -> list[Address]:
            return [one for one in inquiry.pending() if one.email not in heard_of and one.email not in failed]

        def whom() -> Whom:
            if self._party and not inquiry.addresses:
                inquiry.addresses.extend(self._party.join())
            stand_in = self._random if inquiry.addresses and is_open(inquiry.random) else None
            return todo()[:RECIPIENTS_PER_CONNECTION], stand_in

        while True:
            answers = await self._exchange(ip, Question(whom, self._stop_at_accepted, together))
            if answers is None:
                return bool(heard_of)
            self._take_in(answers)
            heard_of |= set(answers.replies)
            if answers.ended is not None and answers.ended.outcome == "blocked":
                await self._leave_alone(ip, answers)
                return bool(heard_of)
            if not (answers.replies or answers.random or answers.together):
                if answers.ended is None or answers.at not in todo():
                    return bool(heard_of)
                failed[answers.at.email] = answers.ended
                if len(failed) == FAILURES:
                    return bool(heard_of)
            together = together and not answers.together
            if self.satisfied() or not (todo() or inquiry.lacks_random()):
                return bool(heard_of)

    async def _exchange(self, ip: str, question: Question) -> Answers | None:
        """One exchange under the politeness limits; None where no turn comes in time, or the host rests."""
        async with AsyncExitStack() as turn:
            try:
                queued = time.monotonic()
                async with asyncio.timeout(None if self._party else self._deadline.left()):
                    await turn.enter_async_context(self._slots.connection(ip))
            except TimeoutError:
                self._inquiry.ended = Reply("timeout")
                return None
            except HostResting as resting:
                self._inquiry.ended = Reply("blocked")
                self._inquiry.resting = resting.seconds
                return None
            if self._party:
                self._deadline.extend(time.monotonic() - queued)
                if not self._party.waits():
                    return None
            return await dialogue.ask(self._caller, ip, question, self._deadline, self._take_in)

    def _take_in(self, answers: Answers) -> None:
        self._inquiry.take_in(answers)
        if self._party:
            self._party.heard()

    async def _leave_alone(self, ip: str, answers: Answers) -> None:
        if any(reply.outcome != "blocked" for reply in answers.replies.values()):
            return
        seconds = REST_SECONDS_RECIPIENT if answers.replies else REST_SECONDS
        await self._slots.rest(ip, seconds)
        self._inquiry.resting = seconds

    def satisfied(self) -> bool:
        """Whether one accepted address is all that was wanted, and the random one has been asked about."""
        taken = any(reply.outcome == "accepted" for reply in self._inquiry.replies.values())
        return self._stop_at_accepted and taken and not is_open(self._inquiry.random)
