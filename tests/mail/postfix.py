"""A Postfix of a test's own: configuration, queue and mailboxes in one folder, as root, without installing anything."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import free_port

POSTFIX = shutil.which("postfix", path="/usr/sbin:/sbin:/usr/local/sbin")

MAIN = """
compatibility_level = 3.6
myhostname = mx.postfix.test
mydestination =
inet_interfaces = all
inet_protocols = ipv4
mynetworks = 192.0.2.0/24
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
multi_instance_enable = yes
virtual_mailbox_domains = acme.test any.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{jane@acme.test=jane/}}, {{info@acme.test=info/}}, {{@any.test=any/}} }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_security_level = {tls}
smtpd_tls_chain_files = {folder}/server.pem
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{full@acme.test = 452 4.2.2 Mailbox full}}, {{closed@acme.test = 550 5.2.1 Account disabled}},
    {{grey@acme.test = 450 4.7.1 Greylisted for 600 seconds}} }}
smtpd_client_restrictions = check_client_access {clients}
"""
MASTER = """
{ip}:{port} inet n - n - 20 smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
virtual unix - n n - - virtual
"""


@contextmanager
def running(folder: Path, ip: str, *, tls: str = "may", clients: str = "static:DUNNO") -> Iterator[int]:
    """Runs it on `ip` and gives its port; `folder` holds the certificate server.pem."""
    port = free_port(ip)
    folder.chmod(0o755)
    config = folder / "config"
    for path in (config, folder / "queue", folder / "data", folder / "mail"):
        path.mkdir()
    shutil.chown(folder / "data", "postfix")
    (config / "main.cf").write_text(MAIN.format(folder=folder, tls=tls, clients=clients))
    (config / "master.cf").write_text(MASTER.format(ip=ip, port=port))
    subprocess.run([POSTFIX, "-c", config, "start"], check=True, capture_output=True, timeout=200)
    try:
        yield port
    finally:
        subprocess.run([POSTFIX, "-c", config, "stop"], check=False, capture_output=True, timeout=200)
