"""The address that a server has for itself."""

import errno
import socket
import time

from addtocrm.core.db.keeper import HANDOVER_POLL_SECONDS, HANDOVER_SECONDS
from addtocrm.core.settings import SettingsError

BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError where another program has the port, be it at a part of the addresses.

    Without SO_REUSEPORT the kernel refuses every other socket at that port, also one that asks to share it.
    """
    deadline = time.monotonic() + HANDOVER_SECONDS
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                if time.monotonic() < deadline:
                    time.sleep(HANDOVER_POLL_SECONDS)
                    continue
                reason = "another program listens there. Stop it, or choose another port with ADDTOCRM_PORT."
            elif error.errno == errno.EACCES:
                reason = "it needs more rights. Choose a port from 1024 on with ADDTOCRM_PORT."
            else:
                reason = f"{error.strerror or error}. Check ADDTOCRM_HOST and ADDTOCRM_PORT."
            raise SettingsError(f"Port {port} of {host} cannot be used: {reason}") from None


def _bound(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Connections that are closing do not count.
        bound.bind(address)
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound
