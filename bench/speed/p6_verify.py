"""P6: a batch of verifications against the ideal schedule, and what it takes of memory."""

import sys

from bench import mail
from bench.deployment import Deployment, process, process_memory
from bench.figure import Figure


def figure(deployment: Deployment) -> Figure:
    addresses = [f"p{n // mail.HOSTS}@h{n % mail.HOSTS}.test" for n in range(10_000)]
    with (
        process(sys.executable, "-m", "bench.mail", port=mail.DNS_PORT),
        deployment.serve(
            ADDTOCRM_DNS_SERVERS=f"127.0.0.1:{mail.DNS_PORT}",
            ADDTOCRM_SMTP_PORT=str(mail.SMTP_PORT),
            ADDTOCRM_SMTP_HELO="bench.test",
            ADDTOCRM_ALLOW_PRIVATE_NETWORKS="true",
        ) as server,
    ):
        deployment.job("emails-verify", ["p-warm@h0.test"])
        few = deployment.job("emails-verify", addresses[:2_000])
        before = process_memory(server, "jobs", "VmHWM")
        deployment.job("emails-verify", addresses[2_000:])
        after = process_memory(server, "jobs", "VmHWM")
    ideal = mail.ideal(2_000)
    return Figure(
        f"P6 2,000 addresses over {mail.HOSTS} hosts against the ideal schedule (seconds); "
        f"jobs process {before:.0f} MB, and {after:.0f} MB after 8,000 more",
        few,
        ideal,
        few / ideal,
        "≤ 1.3",
    )
