"""What is said to one mail server: greeting, MAIL FROM, RCPT TO …, goodbye. Never DATA."""

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from addtocrm.mail.replies import Reply
from addtocrm.mail.smtp import Deadline, Session, SessionEnded
from addtocrm.mail.syntax import Address

TOO_MANY_RECIPIENTS = "4.5.3"
CLOSING = 421


class Caller(msgspec.Struct, frozen=True):
    """How we present ourselves, and where we may connect."""

    helo: str
    sender: str
    port: int
    private: bool


Whom = tuple[Sequence[Address], Address | None]
"""Recipients, and the random address unless it is not wanted; it is asked about after them."""


class Question(msgspec.Struct, frozen=True):
    """Whom to ask about, to be called when the server has greeted us.

    Where the server takes commands `together`, the recipients are sent at once; else one by one, so that a server
    that fails at one of them shows at which.
    """

    whom: Callable[[], Whom]
    stop_at_accepted: bool = False
    together: bool = True


class Answers(msgspec.Struct):
    """What was heard so far; `ended` is what cut the exchange short, while `at` was asked about alone.

    `together` says that several were asked about and the exchange was cut short before all were answered.
    """

    connected: bool = False
    replies: dict[str, Reply] = msgspec.field(default_factory=dict[str, Reply])
    random: Reply | None = None
    ended: Reply | None = None
    at: Address | None = None
    together: bool = False


Heard = Callable[[Answers], None]
"""Told of the answers whenever there are more."""


def wants_random(replies: Sequence[Reply]) -> bool:
    """Whether the random address would tell anything: not where every recipient was plainly turned away."""
    return any(reply.outcome in ("accepted", "refused", "greylisted", "temporary") for reply in replies)


async def ask(caller: Caller, ip: str, question: Question, deadline: Deadline, heard: Heard) -> Answers:
    """One exchange with the server at `ip`; a second one without encryption where TLS breaks down."""
    answers = await _exchange(caller, ip, question, deadline, heard, tls=True)
    broken = answers.ended is not None and answers.ended.outcome == "tls_required" and not answers.ended.code
    if broken and not answers.replies:
        return await _exchange(caller, ip, question, deadline, heard, tls=False)
    return answers


async def _exchange(
    caller: Caller, ip: str, question: Question, deadline: Deadline, heard: Heard, *, tls: bool
) -> Answers:
    answers = Answers()
    try:
        session = await Session.open(ip, caller.port, private=caller.private, deadline=deadline)
    except SessionEnded as end:
        answers.ended = end.reply
        return answers
    answers.connected = True
    heard(answers)
    try:
        await session.greet(caller.helo, tls=tls)
        await _recipients(session, caller, question, answers, heard, tls=tls)
    except SessionEnded as end:
        answers.ended = end.reply
    finally:
        heard(answers)
        await session.quit()
    return answers


async def _recipients(
    session: Session, caller: Caller, question: Question, answers: Answers, heard: Heard, *, tls: bool
) -> None:
    recipients, random = question.whom()
    utf8 = "SMTPUTF8" in session.extensions
    sendable = [address for address in recipients if utf8 or not address.needs_smtputf8]
    for address in recipients:
        if address not in sendable:
            answers.replies[address.email] = Reply("smtputf8_unsupported")
    if not sendable and (recipients or random is None):
        return
    await _mail(session, caller, tls=tls, utf8=any(address.needs_smtputf8 for address in sendable))
    together = question.together and not question.stop_at_accepted and "PIPELINING" in session.extensions
    answers.together = together and len(sendable) > 1
    waiting = list(sendable)
    async for reply in _replies(session, sendable, answers, together=together):
        address = waiting.pop(0)
        if reply.enhanced_code == TOO_MANY_RECIPIENTS and answers.replies:
            if together:
                continue
            return
        if reply.code == CLOSING and answers.replies:
            raise SessionEnded(reply)
        answers.replies[address.email] = reply
        heard(answers)
        _stop_if_closing(reply)
        if question.stop_at_accepted and reply.outcome == "accepted":
            break
    answers.together = False
    if random and (not sendable or wants_random(list(answers.replies.values()))):
        answers.at = random
        reply = await session.command("rcpt", f"RCPT TO:<{random.envelope}>", random.envelope)
        if reply.code != CLOSING and (reply.enhanced_code != TOO_MANY_RECIPIENTS or not sendable):
            answers.random = reply


async def _replies(
    session: Session, addresses: Sequence[Address], answers: Answers, *, together: bool
) -> AsyncIterator[Reply]:
    if together:
        async for reply in session.recipients([address.envelope for address in addresses]):
            yield reply
        return
    for address in addresses:
        answers.at = address
        yield await session.command("rcpt", f"RCPT TO:<{address.envelope}>", address.envelope)


async def _mail(session: Session, caller: Caller, *, tls: bool, utf8: bool) -> None:
    line = f"MAIL FROM:<{caller.sender}>" + (" SMTPUTF8" if utf8 else "")
    reply = await session.command("mail", line)
    if reply.outcome == "tls_required" and tls and not session.secure:
        await session.starttls(caller.helo)
        reply = await session.command("mail", line)
    if reply.outcome != "accepted":
        raise SessionEnded(reply)


def _stop_if_closing(reply: Reply) -> None:
    """421 closes the channel (RFC 5321 §4.2.3); after a refusal of us, more questions would be a nuisance."""
    if reply.code == CLOSING or reply.outcome in ("blocked", "protocol_error"):
        raise SessionEnded(reply)
