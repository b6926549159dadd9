"""libgit2 as a program: clone ADDRESS DIRECTORY | push ADDRESS DIRECTORY SOURCE TARGET, with CLIENT_USER and CLIENT_PASSWORD.

What the server says goes to standard error; the exit status is 1 where it refused a ref.
"""
import os
import sys

import pygit2

command, address, directory, *refs = sys.argv[1:]
refused = []


class Callbacks(pygit2.RemoteCallbacks):
    def sideband_progress(self, string):
        sys.stderr.write(string)
        sys.stderr.flush()

    def push_update_reference(self, refname, message):
        if message is not None:
            refused.append(refname)
            sys.stderr.write(f"{refname}: {message}\n")


callbacks = Callbacks(pygit2.UserPass(os.environ["CLIENT_USER"], os.environ["CLIENT_PASSWORD"]))
if command == "clone":
    pygit2.clone_repository(address, directory, callbacks=callbacks)
else:
    repository = pygit2.Repository(directory)
    repository.remotes["origin"].push([":".join(refs)], callbacks=callbacks)
sys.exit(1 if refused else 0)
