"""pyftpdlib as a server: serve.py PORT DIRECTORY CERTIFICATE. TLS is offered and not demanded."""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

port, directory, certificate = sys.argv[1:]


class Handler(TLS_FTPHandler):
    authorizer = DummyAuthorizer()
    certfile = certificate


Handler.authorizer.add_user("tern", "secret", directory, perm="elradfmwMT")
server = ThreadedFTPServer(("127.0.0.1", int(port)), Handler)
server.max_cons_per_ip = 0
server.serve_forever()
