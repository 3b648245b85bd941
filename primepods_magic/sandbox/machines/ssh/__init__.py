"""The SSH server of a machine: connections, logins, sessions and their processes."""
