"""Machines that you can log in to: an SSH server on loopback for each ready pod, in a process of their own.

`host` starts the process and talks to it; everything else runs inside it. Commands run as the user who
started the sandbox. On systems without `/proc`, daemons that leave their process group outlive their pod.
"""
