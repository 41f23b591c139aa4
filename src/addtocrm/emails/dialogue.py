"""What is said to one mail server: greeting, MAIL FROM, RCPT TO …, goodbye. Never DATA."""

from collections.abc import Sequence

import msgspec

from addtocrm.emails.replies import Reply
from addtocrm.emails.smtp import Deadline, Session, SessionEnded
from addtocrm.emails.syntax import Address

TOO_MANY_RECIPIENTS = "4.5.3"
CLOSING = 421


class Caller(msgspec.Struct, frozen=True):
    """How we present ourselves, and where we may connect."""

    helo: str
    sender: str
    port: int
    private: bool


class Question(msgspec.Struct, frozen=True):
    """Whom to ask about: `recipients`, if any, then `random`, unless it is None."""

    recipients: Sequence[Address]
    random: Address | None
    stop_at_accepted: bool = False


class Answers(msgspec.Struct):
    """What was heard so far; `ended` is what cut the exchange short."""

    connected: bool = False
    replies: dict[str, Reply] = msgspec.field(default_factory=dict[str, Reply])
    random: Reply | None = None
    ended: Reply | None = None


def wants_random(replies: Sequence[Reply]) -> bool:
    """Whether the random address would tell anything: not where every recipient was plainly turned away."""
    return any(reply.outcome in ("accepted", "refused", "greylisted", "temporary") for reply in replies)


async def ask(caller: Caller, ip: str, question: Question, deadline: Deadline) -> Answers:
    """One exchange with the server at `ip`; a second one without encryption where TLS breaks down."""
    answers = await _exchange(caller, ip, question, deadline, tls=True)
    broken = answers.ended is not None and answers.ended.outcome == "tls_required" and not answers.ended.code
    if broken and not answers.replies:
        plain = await _exchange(caller, ip, question, deadline, tls=False)
        plain.connected = True
        return plain
    return answers


async def _exchange(caller: Caller, ip: str, question: Question, deadline: Deadline, *, tls: bool) -> Answers:
    answers = Answers()
    try:
        session = await Session.open(ip, caller.port, private=caller.private, deadline=deadline)
    except SessionEnded as end:
        answers.ended = end.reply
        return answers
    answers.connected = True
    try:
        await session.greet(caller.helo, tls=tls)
        await _recipients(session, caller, question, answers, tls=tls)
    except SessionEnded as end:
        answers.ended = end.reply
    finally:
        await session.quit()
    return answers


async def _recipients(session: Session, caller: Caller, question: Question, answers: Answers, *, tls: bool) -> None:
    utf8 = "SMTPUTF8" in session.extensions
    sendable = [address for address in question.recipients if utf8 or not address.needs_smtputf8]
    for address in question.recipients:
        if address not in sendable:
            answers.replies[address.email] = Reply("smtputf8_unsupported")
    if question.recipients and not sendable:
        return
    await _mail(session, caller, tls=tls, utf8=any(address.needs_smtputf8 for address in sendable))
    for address in sendable:
        reply = await _recipient(session, address)
        if reply.enhanced_code == TOO_MANY_RECIPIENTS and answers.replies:
            return
        answers.replies[address.email] = reply
        _stop_if_closing(reply)
        if question.stop_at_accepted and reply.outcome == "accepted":
            break
    if question.random and (not sendable or wants_random(list(answers.replies.values()))):
        reply = await _recipient(session, question.random)
        if reply.code != CLOSING and (reply.enhanced_code != TOO_MANY_RECIPIENTS or not sendable):
            answers.random = reply


async def _recipient(session: Session, address: Address) -> Reply:
    return await session.command("rcpt", f"RCPT TO:<{address.envelope}>", address.envelope)


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
