"""dulwich as a program: clone ADDRESS DIRECTORY | push ADDRESS DIRECTORY SOURCE TARGET, with CLIENT_USER and CLIENT_PASSWORD.

What the server says goes to standard error; the exit status is 1 where it refused a ref.
"""
import os
import sys

from dulwich import porcelain
from dulwich.client import HttpGitClient
from dulwich.repo import Repo

command, address, directory, *refs = sys.argv[1:]
who = {"username": os.environ["CLIENT_USER"], "password": os.environ["CLIENT_PASSWORD"]}

if command == "clone":
    porcelain.clone(address, directory, errstream=sys.stderr.buffer, **who)
    sys.exit(0)

source, target = (ref.encode() for ref in refs)
repository = Repo(directory)
client = HttpGitClient(address, **who)


def say(text):
    sys.stderr.buffer.write(text)
    sys.stderr.flush()


result = client.send_pack(
    "", lambda _: {target: repository.refs[source]}, repository.generate_pack_data, progress=say
)
refused = {ref: reason for ref, reason in (result.ref_status or {}).items() if reason is not None}
for ref, reason in refused.items():
    sys.stderr.write(f"{ref.decode()}: {reason}\n")
sys.exit(1 if refused else 0)
