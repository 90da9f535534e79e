"""A mail server for tests. Says its port, then one JSON line for each mail it took. Ends with its
standard input.

Receivers decide how it behaves: never@ is refused for ever, later@ is refused the first time;
drop@ is taken the first time and the line is cut before the answer; hang@ is not answered the first
time.
"""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, default=0)
arguments.add_argument("--security", choices=["plain", "starttls", "tls"], default="plain")
arguments.add_argument("--certificate")
arguments.add_argument("--key")
arguments.add_argument("--password", help="of the user toehold, who must log in")
given = arguments.parse_args()


def say(**what):
    print(json.dumps(what), flush=True)


class Taker:
    refused = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("never@"):
            return "550 there is nobody of that name"
        if address.startswith("later@") and address not in self.refused:
            self.refused.add(address)
            return "451 come back later"
        if address.startswith("hang@") and address not in self.refused:
            self.refused.add(address)
            say(hangs=address)
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        say(
            mail=envelope.content.decode("utf-8", "replace"),
            to=envelope.rcpt_tos,
            tls=server.transport.get_extra_info("sslcontext") is not None,
            login=session.authenticated,
        )
        if any(it.startswith("drop@") for it in envelope.rcpt_tos) and "drop" not in self.refused:
            self.refused.add("drop")
            server.transport.abort()
        return "250 OK"


def log_in(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.password.decode() == given.password
    return AuthResult(success=good and data.login == b"toehold", handled=False)


async def main():
    context = None
    if given.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.certificate, given.key)
    taker = Taker()

    def session():
        return SMTP(
            taker,
            hostname="localhost",
            tls_context=context if given.security == "starttls" else None,
            require_starttls=given.security == "starttls",
            authenticator=log_in if given.password else None,
            auth_required=bool(given.password),
            auth_require_tls=given.security == "starttls",
        )

    wrapped = context if given.security == "tls" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", given.port, ssl=wrapped)
    say(port=server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
