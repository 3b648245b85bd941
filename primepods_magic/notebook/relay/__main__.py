"""The program that a front end starts for a kernel on a pod."""

import os
import sys

# The folder of the notebook must not hide modules that the relay needs.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

if __name__ == "__main__":
    from primepods_magic.notebook.relay.options import read_options
    from primepods_magic.notebook.relay.pod_session import PodSession

    options, words = read_options(sys.argv[1:])
    # The kernel there starts while ipykernel is imported here.
    session = PodSession(options)
    session.start_preparing()

    from primepods_magic.notebook.relay.app import launch_relay

    launch_relay(options, session, words)
